"""The networks behind packs: they are the libraries' own, float32, frozen, and refuse tensors that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from clip.model import CLIP, build_model
from videojob_runner.errors import BadInput
from videojob_runner.models.clip.model import IMAGE_MEAN, IMAGE_STD, Clip, TextTooLong
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan

from tests.unit.runner.tiny_packs import ARCHITECTURE, SIDE, clip_tensors, vqgan_tensors, write_pack


@pytest.fixture(scope="module")
def generator(generator_folder: Path) -> Vqgan:
    return Vqgan.load(Pack.open(generator_folder, kind="vqgan"))


@pytest.fixture(scope="module")
def perceptor(perceptor_folder: Path) -> Clip:
    return Clip.load(Pack.open(perceptor_folder, kind="clip"))


class TestVqgan:
    def test_it_holds_exactly_the_tensors_of_the_pack_in_float32(self, generator: Vqgan) -> None:
        stored, loaded = vqgan_tensors(), generator.state_dict()
        assert stored.keys() == loaded.keys()
        assert all(torch.equal(stored[name].float(), loaded[name]) for name in stored)
        assert {tensor.dtype for tensor in loaded.values()} == {torch.float32}

    def test_nothing_in_it_can_be_trained(self, generator: Vqgan) -> None:
        assert not any(parameter.requires_grad for parameter in generator.parameters())
        assert not generator.training

    @pytest.mark.parametrize(("height", "width"), [(16, 16), (32, 20), (4, 8)])
    def test_pictures_of_any_multiple_of_the_factor_go_there_and_back(
        self, generator: Vqgan, height: int, width: int
    ) -> None:
        assert generator.factor == 4
        latent = generator.encode(torch.zeros(2, 3, height, width))
        assert latent.shape == (2, 4, height // 4, width // 4)
        assert generator.decode(latent).shape == (2, 3, height, width)
        assert generator.codebook.shape == (32, 4)

    def test_loading_is_silent_and_moves_no_global_generator(
        self, generator_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = torch.get_rng_state()
        Vqgan.load(Pack.open(generator_folder, kind="vqgan"))
        assert torch.equal(before, torch.get_rng_state())
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize(
        "change", [{"codebookSize": 33}, {"chMult": [1, 1]}, {"ch": 33}, {"depth": 3}, {"chMult": []}, {"ch": "wide"}]
    )
    def test_an_architecture_that_does_not_fit_is_bad_input(self, tmp_path: Path, change: dict[str, Any]) -> None:
        folder = write_pack(tmp_path / "p", vqgan_tensors(), kind="vqgan", architecture={**ARCHITECTURE, **change})
        with pytest.raises(BadInput, match="does not fit its architecture"):
            Vqgan.load(Pack.open(folder, kind="vqgan"))

    def test_q_42_only_what_makes_pictures_is_built(self, generator: Vqgan) -> None:
        """The original also built, and downloaded, the networks of the training losses."""
        parts = {name for name, _ in generator.named_children()}
        assert parts == {"encoder", "decoder", "quantize", "quant_conv", "post_quant_conv"}

    def test_q_42_a_missing_or_additional_tensor_is_bad_input(self, tmp_path: Path) -> None:
        whole = vqgan_tensors()
        less = {name: tensor for name, tensor in whole.items() if name != "quant_conv.bias"}
        for name, tensors in (("less", less), ("more", {**whole, "loss.discriminator": torch.zeros(1)})):
            folder = write_pack(tmp_path / name, tensors, kind="vqgan", architecture=ARCHITECTURE)
            with pytest.raises(BadInput, match=r"quant_conv\.bias|loss\.discriminator"):
                Vqgan.load(Pack.open(folder, kind="vqgan"))


class TestClip:
    def test_it_holds_exactly_the_tensors_of_the_pack_in_float32(self, perceptor: Clip) -> None:
        stored, loaded = clip_tensors(), perceptor.network.state_dict()
        assert isinstance(perceptor.network, CLIP)
        assert all(torch.equal(stored[name].float(), loaded[name]) for name in stored)

    def test_weights_stored_in_float32_are_not_rounded_to_half(self, tmp_path: Path) -> None:
        tensors = {name: t.float() + 1e-5 if t.is_floating_point() else t for name, t in clip_tensors().items()}
        network = Clip.load(Pack.open(write_pack(tmp_path / "p", tensors, kind="clip"), kind="clip")).network
        assert torch.equal(network.visual.conv1.weight, tensors["visual.conv1.weight"])

    def test_both_towers_are_found_by_their_shapes(self, tmp_path: Path, perceptor: Clip) -> None:
        tensors = clip_tensors(resnet=True)
        residual = Clip.load(Pack.open(write_pack(tmp_path / "p", tensors, kind="clip"), kind="clip"))
        for network in (perceptor, residual):
            assert network.input_size == SIDE
            assert network.encode_image(torch.rand(2, 3, SIDE, SIDE)).shape == (2, 16)

    def test_q_41_nothing_is_compiled_by_the_jit_whatever_torch_s_version(self, perceptor: Clip) -> None:
        assert not any(isinstance(module, torch.jit.ScriptModule) for module in perceptor.modules())

    @pytest.mark.parametrize("resnet", [False, True])
    def test_it_computes_what_openai_s_own_loader_does(self, tmp_path: Path, resnet: bool) -> None:
        tensors = clip_tensors(resnet=resnet)  # in half precision, so that loader's rounding changes nothing
        ours = Clip.load(Pack.open(write_pack(tmp_path / "p", tensors, kind="clip"), kind="clip")).network
        theirs = build_model({name: tensor.clone() for name, tensor in tensors.items()}).float()
        picture, text = torch.rand(2, 3, SIDE, SIDE), torch.tensor([[49406, 320, 2368, 49407] + [0] * 73])
        assert torch.equal(ours.encode_image(picture), theirs.encode_image(picture))
        assert torch.equal(ours.encode_text(text), theirs.encode_text(text))

    @pytest.mark.parametrize("resnet", [False, True])
    def test_in_a_shorter_type_both_kinds_of_towers_see_nearly_the_same_and_read_the_same(
        self, tmp_path: Path, resnet: bool
    ) -> None:
        pack = Pack.open(write_pack(tmp_path / "p", clip_tensors(resnet=resnet), kind="clip"), kind="clip")
        usual, shorter = Clip.load(pack), Clip.load(pack, precision=torch.bfloat16)
        pictures = torch.rand(2, 3, usual.input_size, usual.input_size)
        with torch.autocast("cpu", torch.bfloat16):
            seen = shorter.encode_image(pictures).float()
        assert 0 < (seen - usual.encode_image(pictures)).abs().max() < 0.05 * seen.abs().max()
        assert torch.equal(shorter.encode_text(["a circle"]), usual.encode_text(["a circle"]))

    def test_pictures_are_normalised_with_clip_s_statistics(self, perceptor: Clip) -> None:
        picture = torch.rand(1, 3, SIDE, SIDE)
        mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (IMAGE_MEAN, IMAGE_STD))
        expected = perceptor.network.encode_image((picture - mean) / deviation)
        assert torch.allclose(perceptor.encode_image(picture), expected, atol=1e-5)

    def test_each_text_has_its_own_embedding(self, perceptor: Clip) -> None:
        embeddings = perceptor.encode_text(["a red circle", "a blue star", "a red circle"])
        assert embeddings.shape == (3, 16)
        assert torch.equal(embeddings[0], embeddings[2])
        assert not torch.allclose(embeddings[0], embeddings[1])

    def test_tokens_are_the_stock_ones(self, perceptor: Clip) -> None:
        row = perceptor.tokenize(["a cat"])[0]
        assert row.shape == (77,)
        assert row[:5].tolist() == [49406, 320, 2368, 49407, 0]

    def test_a_text_that_is_too_long_is_refused_and_the_limit_named(self, perceptor: Clip) -> None:
        perceptor.tokenize(["word " * 75])
        with pytest.raises(TextTooLong, match="accepts 77 tokens"):
            perceptor.tokenize(["word " * 76])

    def test_loading_moves_no_global_generator(self, perceptor_folder: Path) -> None:
        before = torch.get_rng_state()
        Clip.load(Pack.open(perceptor_folder, kind="clip"))
        assert torch.equal(before, torch.get_rng_state())

    @pytest.mark.parametrize("missing", ["text_projection", "visual.proj", "visual.conv1.weight", "ln_final.bias"])
    def test_tensors_that_are_no_clip_are_bad_input(self, tmp_path: Path, missing: str) -> None:
        tensors = {name: tensor for name, tensor in clip_tensors().items() if name != missing}
        pack = Pack.open(write_pack(tmp_path / "p", tensors, kind="clip"), kind="clip")
        with pytest.raises(BadInput, match="does not contain the tensors of a CLIP model"):
            Clip.load(pack)

"""Public VQGAN checkpoints become packs that the engine makes pictures with."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from videojob_runner.convert import ConversionRequest, convert_vqgan
from videojob_runner.convert.taming_config import parse_first_stage
from videojob_runner.engines.vqgan_clip import VqganClip, VqganClipConfig, encode_image
from videojob_runner.errors import BadConfig, BadInput
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.models.vqgan.quantize import codes_to_latent, nearest_codes

from tests.unit.runner.convert.checkpoints import (
    GUMBEL_DDCONFIG,
    gumbel_config,
    gumbelvq,
    save_lightning,
    training_only,
    transformer,
    transformer_config,
    vqgan_config,
    vqmodel,
    write_yaml,
)
from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, FakeModelResolver
from tests.unit.runner.tiny_packs import ARCHITECTURE


def convert(folder: Path, tensors: dict[str, Tensor], config: object, name: str = "tiny") -> Pack:
    checkpoint = save_lightning(folder / f"{name}.ckpt", tensors)
    request = ConversionRequest(checkpoint=checkpoint, output=folder / name, licence="MIT")
    return convert_vqgan(request, config=write_yaml(folder / f"{name}.yaml", config))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return convert(tmp_path_factory.mktemp("vqmodel"), vqmodel(), vqgan_config())


def test_a_vqmodel_keeps_its_weights_bit_by_bit_and_leaves_its_losses_behind(pack: Pack) -> None:
    stored, original = load_file(pack.folder / "model.safetensors"), vqmodel()
    assert stored.keys() == {name for name in original if not name.startswith("loss.")}
    assert all(torch.equal(tensor, original[name]) and tensor.dtype == torch.float32 for name, tensor in stored.items())


def test_the_pack_says_what_it_is_and_what_it_came_from(pack: Pack) -> None:
    written = json.loads((pack.folder / "pack.json").read_text())
    assert (written["name"], written["kind"], written["licence"]) == ("tiny", "vqgan", "MIT")
    assert written["architecture"] == {**ARCHITECTURE, "quantiser": "nearest"}
    for name in ("tiny.ckpt", "tiny.yaml"):
        content = (pack.folder.parent / name).read_bytes()
        assert written["sources"][name] == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_everybody_may_read_the_pack(pack: Pack) -> None:
    assert pack.folder.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in pack.folder.iterdir()} == {0o644}


def generate(generator: Path, perceptor: Path, folder: Path, *, seed: int = 7, **options: Any) -> EngineHarness:
    """A picture of two iterations."""
    world = EngineHarness(FakeModelResolver(generator, perceptor), folder, seed=seed)
    image = {"prompts": "a red circle", "iterations": 2}
    common = {"width": 16, "height": 16, "cutMethod": "original", "image": image}
    VqganClip().run(VqganClipConfig.model_validate({**common, **options}), world.context())
    return world


def test_it_generates(pack: Pack, perceptor_folder: Path, tmp_path: Path) -> None:
    world = generate(pack.folder, perceptor_folder, tmp_path)
    assert world.frames.pixels[0].shape == (16, 16, 3)
    assert world.frames.pixels[0].std() > 0


def test_it_loads_as_the_network_it_was(pack: Pack) -> None:
    loaded = Vqgan.load(Pack.open(pack.folder, kind="vqgan"))
    assert torch.equal(loaded.codebook, vqmodel()["quantize.embedding.weight"])


@pytest.fixture(scope="module")
def gumbel(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("gumbel")
    return convert(folder, {**gumbelvq(), **training_only()}, gumbel_config(), "tiny-gumbel")


class TestGumbel:
    def test_q_39_it_is_known_by_its_yaml_and_keeps_its_weights(self, gumbel: Pack) -> None:
        stored, original = load_file(gumbel.folder / "model.safetensors"), gumbelvq()
        assert stored.keys() == original.keys()
        assert all(torch.equal(tensor, original[name]) for name, tensor in stored.items())
        assert gumbel.manifest.architecture["quantiser"] == "gumbel"

    def test_q_33_a_picture_becomes_the_codes_of_the_largest_logits_and_always_the_same(self, gumbel: Pack) -> None:
        network = Vqgan.load(gumbel)
        picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        latent = network.encode(picture * 2 - 1)[0].permute(1, 2, 0).numpy()
        tensors = {name: tensor.numpy() for name, tensor in gumbelvq().items()}
        logits = latent @ tensors["quantize.proj.weight"][:, :, 0, 0].T + tensors["quantize.proj.bias"]
        chosen = tensors["quantize.embed.weight"][logits.argmax(-1)]
        first, second = (encode_image(network, picture)[0].permute(1, 2, 0).numpy() for _ in range(2))
        assert np.array_equal(first, chosen)
        assert np.array_equal(first, second)

    def test_that_is_not_what_the_nearest_codes_would_be(self, gumbel: Pack) -> None:
        network = Vqgan.load(gumbel)
        picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        nearest = nearest_codes(network.encode(picture * 2 - 1), network.codebook)
        assert not torch.equal(encode_image(network, picture), codes_to_latent(nearest, network.codebook))

    def test_q_33_drawn_codes_are_those_of_the_original_s_hard_gumbel_softmax(self, gumbel: Pack) -> None:
        network = Vqgan.load(gumbel)
        picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        logits = network.quantize.proj(network.encode(picture * 2 - 1)) / 10  # flat enough for chance to matter
        for parameter in network.quantize.proj.parameters():
            parameter.div_(10)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            chosen = torch.nn.functional.gumbel_softmax(logits, hard=True, dim=1).argmax(1)
        drawn = encode_image(network, picture, draws=torch.Generator().manual_seed(5))
        assert torch.equal(drawn, codes_to_latent(chosen, network.codebook))
        assert not torch.equal(drawn, encode_image(network, picture))
        assert not torch.equal(drawn, encode_image(network, picture, draws=torch.Generator().manual_seed(6)))

    @pytest.mark.parametrize(("compat", "pictures"), [(None, 1), ("upstream", 2)])
    def test_q_33_a_run_draws_the_init_image_s_codes_only_in_the_original_s_way(
        self, gumbel: Pack, perceptor_folder: Path, tmp_path: Path, compat: str | None, pictures: int
    ) -> None:
        Image.fromarray(np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)).save(tmp_path / "init.png")
        # Steps too small to leave the codes: the picture is the start's, whatever cutouts the seed draws.
        options = {"compat": compat, "initImage": "init.png", "learningRate": 1e-6}
        frames = {
            generate(gumbel.folder, perceptor_folder, tmp_path, seed=seed, **options).pictures()[0] for seed in (1, 2)
        }
        assert len(frames) == pictures

    @pytest.mark.parametrize("form", [{"sourceWeight": 2}, {"sourceWeight": 0}, {"restyle": {"blend": 0.2}}])
    @pytest.mark.parametrize(("compat", "films"), [(None, 1), ("upstream", 2)])
    def test_q_33_a_style_transfer_draws_its_sources_codes_only_in_the_original_s_way(
        self, gumbel: Pack, perceptor_folder: Path, tmp_path: Path, compat: str | None, films: int, form: dict[str, Any]
    ) -> None:
        (tmp_path / "film").mkdir()
        for index in range(2):
            pixels = np.roll(np.arange(16 * 16 * 3, dtype=np.uint8), 40 * index).reshape(16, 16, 3)
            Image.fromarray(pixels).save(tmp_path / "film" / f"{index}.png")
        # A prompt without weight: whatever cutouts the seed draws, only the sources act.
        style = {"prompts": "a:0", "source": "film", "iterationsPerFrame": 3, **form}
        options = {"compat": compat, "learningRate": 0.5, "image": None, "styleTransfer": style}
        frames = {
            tuple(generate(gumbel.folder, perceptor_folder, tmp_path, seed=seed, **options).pictures())
            for seed in (1, 2)
        }
        assert len(frames) == films

    @pytest.mark.parametrize("start", ["random", "gray"])
    def test_it_generates_from_codes_and_from_a_picture(
        self, gumbel: Pack, perceptor_folder: Path, tmp_path: Path, start: str
    ) -> None:
        world = generate(gumbel.folder, perceptor_folder, tmp_path, start=start)
        assert world.frames.pixels[0].std() > 0

    def test_latents_of_another_width_than_the_codes_are_refused(self, tmp_path: Path) -> None:
        config = vqgan_config("taming.models.vqgan.GumbelVQ")
        with pytest.raises(BadConfig, match=r"^model\.params: .*must be equal"):
            convert(tmp_path, gumbelvq(), config)

    def test_its_tensors_are_not_those_of_a_vqmodel(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=r"lacks the tensors quantize\.embedding\.weight"):
            convert(tmp_path, gumbelvq(), vqgan_config(ddconfig=GUMBEL_DDCONFIG))


class TestTransformer:
    @pytest.mark.parametrize(("tensors", "config"), [(vqmodel(), vqgan_config()), (gumbelvq(), gumbel_config())])
    def test_its_first_stage_becomes_the_same_pack_as_alone(
        self, tmp_path: Path, tensors: dict[str, Tensor], config: dict[str, Any]
    ) -> None:
        alone = convert(tmp_path, tensors, config, "alone")
        within = convert(tmp_path, transformer(tensors), transformer_config(config["model"]), "within")
        assert within.manifest.architecture == alone.manifest.architecture
        assert within.manifest.files == alone.manifest.files

    def test_a_tensor_of_the_first_stage_that_is_not_ours_is_named(self, tmp_path: Path) -> None:
        tensors = transformer({**vqmodel(), "colorize": torch.zeros(3)})
        with pytest.raises(BadInput, match=r"in addition to those of the network, the tensors colorize$"):
            convert(tmp_path, tensors, transformer_config(vqgan_config()["model"]))

    def test_a_vqmodel_beside_a_transformer_s_yaml_lacks_everything(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=r"lacks the tensors decoder\.conv_in\.bias"):
            convert(tmp_path, vqmodel(), transformer_config(vqgan_config()["model"]))

    def test_a_fault_in_the_first_stage_s_yaml_is_named_with_its_whole_path(self, tmp_path: Path) -> None:
        config = transformer_config(vqgan_config("taming.models.dummy.Dummy")["model"])
        with pytest.raises(BadConfig, match=r"^model\.params\.first_stage_config\.target: "):
            convert(tmp_path, transformer(vqmodel()), config)


IMAGENET = {
    "double_z": False,
    "z_channels": 256,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 128,
    "ch_mult": [1, 1, 2, 2, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [16],
    "dropout": 0.0,
}
"""The ImageNet models of 16 × 16 positions (specification vqgan-clip §2.2)."""
OPENIMAGES = {**IMAGENET, "ch_mult": [1, 1, 2, 4], "attn_resolutions": [32]}
"""The Gumbel model of 32 × 32 positions (§6.1)."""


def sizes(config: dict[str, Any]) -> dict[str, torch.Size]:
    """The tensors that a yaml file asks for; nothing is allocated."""
    with torch.device("meta"):
        network = Vqgan(parse_first_stage(config).architecture)
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


def count(shapes: dict[str, torch.Size], prefix: str) -> int:
    return sum(shape.numel() for name, shape in shapes.items() if name.startswith(prefix))


def test_the_imagenet_model_has_the_tensors_of_the_published_file() -> None:
    shapes = sizes(vqgan_config(ddconfig=IMAGENET, embed_dim=256, n_embed=16384))
    assert round(count(shapes, "encoder.") / 1e6, 2) == 29.30
    assert round(count(shapes, "decoder.") / 1e6, 2) == 42.45
    published = {
        "encoder.down.4.attn.1.proj_out.weight": (512, 512, 1, 1),
        "encoder.down.2.block.0.nin_shortcut.weight": (256, 128, 1, 1),
        "encoder.down.3.downsample.conv.weight": (256, 256, 3, 3),
        "decoder.mid.attn_1.q.weight": (512, 512, 1, 1),
        "decoder.up.4.attn.2.norm.bias": (512,),
        "decoder.up.1.upsample.conv.bias": (128,),
        "quantize.embedding.weight": (16384, 256),
        "quant_conv.weight": (256, 256, 1, 1),
        "post_quant_conv.bias": (256,),
    }
    assert {name: tuple(shapes[name]) for name in published} == published


def test_the_gumbel_model_has_the_tensors_of_the_published_file() -> None:
    config = vqgan_config("taming.models.vqgan.GumbelVQ", ddconfig=OPENIMAGES, embed_dim=256, n_embed=8192)
    shapes = sizes(config)
    published = {
        "encoder.down.3.attn.0.k.weight": (512, 512, 1, 1),
        "quantize.embed.weight": (8192, 256),
        "quantize.proj.weight": (8192, 256, 1, 1),
        "quantize.proj.bias": (8192,),
    }
    assert {name: tuple(shapes[name]) for name in published} == published
    assert parse_first_stage(config).architecture.factor == 8

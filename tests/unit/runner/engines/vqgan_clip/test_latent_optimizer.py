"""The latent under guidance, its starts, and pictures between files, arrays and tensors."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions, Cutouts
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.latent.encoding import (
    add_codebook_noise,
    encode_image,
    gray_latent,
    random_codes,
)
from videojob_runner.engines.vqgan_clip.latent.optimizer import LatentOptimizer
from videojob_runner.engines.vqgan_clip.prompts.grammar import Prompt, parse
from videojob_runner.errors import BadInput
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.images import read_image, to_pixels, to_tensor
from videojob_runner.torch_utils.random_streams import RandomStreams

SIZE = (16, 16)


@pytest.fixture(scope="module")
def guidance(generator_folder: Path, perceptor_folder: Path) -> Guidance:
    """The tiny networks with plain cutouts."""
    return Guidance(
        generator=Vqgan.load(Pack.open(generator_folder, kind="vqgan")),
        perceptor=Clip.load(Pack.open(perceptor_folder, kind="clip")),
        cutouts=Cutouts(CutoutOptions(count=2, method="original"), target=32),
    )


@pytest.fixture
def latent(guidance: Guidance) -> LatentOptimizer:
    start = random_codes(guidance.generator, size=SIZE, draws=torch.Generator().manual_seed(1))
    return LatentOptimizer(start, guidance.generator.codebook)


def move(latent: LatentOptimizer, guidance: Guidance, *, prompts: str = "a red circle", rate: float = 0.01) -> Tensor:
    """What one step adds to z."""
    before = latent.z.detach().clone()
    latent.step(guidance, guidance.text_targets(parse(prompts)[0]), rate=rate, randomness=RandomStreams.from_seed(1))
    return latent.z.detach() - before


class TestLatent:
    def test_adam_s_first_step_has_the_size_of_the_rate(self, guidance: Guidance, latent: LatentOptimizer) -> None:
        latent.reset(latent.z.detach() * 0.5)  # away from the codebook's ends, where steps are cut short
        moved = move(latent, guidance).abs()
        assert float(moved.max()) == pytest.approx(0.01, rel=1e-3)
        assert float(moved.median()) == pytest.approx(0.01, rel=0.05)

    def test_z_never_leaves_the_range_of_the_codebook(self, guidance: Guidance, latent: LatentOptimizer) -> None:
        move(latent, guidance, rate=50)
        book = guidance.generator.codebook
        z = latent.z.detach().permute(0, 2, 3, 1).reshape(-1, book.shape[1])
        assert bool((z <= book.amax(0)).all() and (z >= book.amin(0)).all())
        assert bool(((z == book.amax(0)) | (z == book.amin(0))).float().mean() > 0.9)

    def test_a_prompt_and_its_opposite_pull_in_opposite_directions(
        self, guidance: Guidance, latent: LatentOptimizer
    ) -> None:
        latent.reset(latent.z.detach() * 0.5)
        start = latent.z.detach().clone()
        towards = move(latent, guidance)
        latent.reset(start)
        away = move(latent, guidance, prompts="a red circle:-1")
        opposite = towards.sign() == -away.sign()  # pixels at black or white answer to one direction only
        assert float(opposite.float().mean()) > 0.8

    def test_weight_zero_moves_nothing(self, guidance: Guidance, latent: LatentOptimizer) -> None:
        assert float(move(latent, guidance, prompts="a red circle:0").abs().max()) == 0

    def test_the_picture_and_the_loss_are_those_before_the_step(
        self, guidance: Guidance, latent: LatentOptimizer
    ) -> None:
        before = guidance.render(latent.z)
        targets = guidance.text_targets(parse("x")[0])
        expected = guidance.loss(before.clone(), targets, RandomStreams.from_seed(1))
        iteration = latent.step(guidance, targets, rate=0.5, randomness=RandomStreams.from_seed(1))
        assert torch.allclose(iteration.image, before)
        assert float(iteration.loss) == pytest.approx(float(expected), rel=1e-5)
        assert not torch.allclose(guidance.render(latent.z), before)

    def test_a_restored_state_steps_on_bit_by_bit(self, guidance: Guidance, latent: LatentOptimizer) -> None:
        for _ in range(3):
            move(latent, guidance)
        other = LatentOptimizer(torch.zeros_like(latent.z), guidance.generator.codebook)
        other.load_state_dict({name: tensor.clone() for name, tensor in latent.state_dict().items()})
        assert torch.equal(move(latent, guidance), move(other, guidance))
        assert torch.equal(latent.z, other.z)

    def test_a_restart_forgets_the_moments(self, guidance: Guidance, latent: LatentOptimizer) -> None:
        move(latent, guidance)
        assert latent.state_dict().keys() == {"z", "optimiser.step", "optimiser.exp_avg", "optimiser.exp_avg_sq"}
        latent.reset(latent.z)
        assert latent.state_dict().keys() == {"z"}

    def test_the_networks_get_no_gradients(self, guidance: Guidance, latent: LatentOptimizer) -> None:
        move(latent, guidance)
        networks = [guidance.generator, guidance.perceptor]
        assert all(parameter.grad is None for network in networks for parameter in network.parameters())


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 0), (torch.bfloat16, 0.05)])
def test_a_shorter_precision_changes_the_picture_a_little_and_types_not_at_all(
    guidance: Guidance, latent: LatentOptimizer, precision: torch.dtype, tolerance: float
) -> None:
    shorter = replace(guidance, precision=precision)
    difference = (shorter.render(latent.z) - guidance.render(latent.z)).abs().mean()
    assert (0 < difference <= tolerance) if tolerance else difference == 0
    iteration = latent.step(
        shorter, shorter.text_targets(parse("x")[0]), rate=0.1, randomness=RandomStreams.from_seed(1)
    )
    assert {iteration.loss.dtype, iteration.image.dtype, latent.z.dtype} == {torch.float32}


def test_weights_kept_in_the_shorter_precision_give_what_shortening_them_at_each_call_gives(
    guidance: Guidance, latent: LatentOptimizer, generator_folder: Path, perceptor_folder: Path
) -> None:
    kind, views = torch.bfloat16, torch.rand(2, 3, guidance.perceptor.input_size, guidance.perceptor.input_size)
    at_each_call = replace(guidance, precision=kind)
    kept = replace(
        at_each_call,
        generator=Vqgan.load(Pack.open(generator_folder, kind="vqgan"), precision=kind),
        perceptor=Clip.load(Pack.open(perceptor_folder, kind="clip"), precision=kind),
    )
    assert torch.equal(kept.render(latent.z), at_each_call.render(latent.z))
    assert torch.equal(kept.encode_views(views), at_each_call.encode_views(views))
    assert torch.equal(kept.perceptor.encode_text(["x"]), guidance.perceptor.encode_text(["x"])), "texts stay exact"
    assert kept.generator.decoder.conv_in.weight.dtype == kind


class TestTextTargets:
    def test_targets_hold_the_numbers_of_the_prompts(self, guidance: Guidance) -> None:
        targets = guidance.text_targets((Prompt("a", 0.5, 0.1), Prompt("b", -1)))
        assert targets.weights.tolist() == [0.5, -1]
        assert targets.stops.tolist() == pytest.approx([0.1, -math.inf])
        assert torch.equal(targets.embeddings, guidance.perceptor.encode_text(["a", "b"]))


class TestStarts:
    def test_every_start_consists_of_codes(self, guidance: Guidance) -> None:
        generator = guidance.generator
        starts = [
            gray_latent(generator, size=SIZE),
            random_codes(generator, size=SIZE, draws=torch.Generator().manual_seed(1)),
            encode_image(generator, torch.rand(1, 3, 16, 16)),
        ]
        for z in starts:
            assert z.shape == (1, 4, 4, 4)
            points = z.permute(0, 2, 3, 1).reshape(-1, 4)
            assert float(torch.cdist(points, generator.codebook).amin(1).max()) < 1e-4

    def test_width_and_height_are_not_mixed_up(self, guidance: Guidance) -> None:
        draws = torch.Generator().manual_seed(1)
        assert random_codes(guidance.generator, size=(32, 16), draws=draws).shape == (1, 4, 4, 8)
        assert gray_latent(guidance.generator, size=(32, 16)).shape == (1, 4, 4, 8)

    def test_random_codes_use_the_whole_codebook_evenly(self, guidance: Guidance) -> None:
        generator = guidance.generator
        z = random_codes(generator, size=(400, 400), draws=torch.Generator().manual_seed(1))
        points = z.permute(0, 2, 3, 1).reshape(-1, 4)
        uses = torch.bincount(torch.cdist(points, generator.codebook).argmin(1), minlength=32)
        assert int(uses.min()) > 10_000 / 32 * 0.75
        assert int(uses.max()) < 10_000 / 32 * 1.25

    def test_gray_is_the_encoding_of_the_middle_of_the_scale(self, guidance: Guidance) -> None:
        middle = guidance.generator.encode(torch.zeros(1, 3, 16, 16))
        nearest = torch.cdist(middle.permute(0, 2, 3, 1).reshape(-1, 4), guidance.generator.codebook).argmin(1)
        expected = guidance.generator.codebook[nearest].view(1, 4, 4, 4).permute(0, 3, 1, 2)
        assert torch.equal(gray_latent(guidance.generator, size=SIZE), expected)

    def test_shaking_adds_noise_in_units_of_each_channel_of_the_codebook(self) -> None:
        codebook = torch.tensor([[0.0, 0.0], [2.0, 20.0]])  # deviations √2 and 10·√2
        z = torch.ones(1, 2, 100, 100)
        noise = add_codebook_noise(z, codebook, noise=0.5, draws=torch.Generator().manual_seed(1)) - z
        assert noise.std((0, 2, 3)).tolist() == pytest.approx([0.5 * 2**0.5, 5 * 2**0.5], rel=0.03)
        assert noise.mean((0, 2, 3)).tolist() == pytest.approx([0, 0], abs=0.2)


class TestPictures:
    def test_export_truncates(self) -> None:
        levels = torch.tensor([0.0, 0.5, 0.999, 1.0, 1.7, -0.2])
        pixels = to_pixels(levels.view(1, 1, 2, 3).expand(1, 3, 2, 3))
        assert pixels[..., 0].tolist() == [[0, 127, 254], [255, 255, 0]]
        assert pixels.shape == (2, 3, 3)

    def test_an_array_becomes_a_picture_with_its_channels_first(self) -> None:
        pixels = np.zeros((2, 3, 3), np.uint8)
        pixels[1, 2] = (255, 51, 0)
        picture = to_tensor(pixels)
        assert picture.shape == (1, 3, 2, 3)
        assert picture[0, :, 1, 2].tolist() == pytest.approx([1, 0.2, 0])

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK"])
    def test_every_kind_of_picture_becomes_rgb_of_the_wanted_size(self, tmp_path: Path, mode: str) -> None:
        path = tmp_path / ("seed.tiff" if mode == "CMYK" else "seed.png")
        Image.new("RGB", (30, 20), (255, 255, 255)).convert(mode).save(path)
        pixels = read_image(path, size=(16, 12), field="initImage")
        assert pixels.shape == (12, 16, 3)
        assert int(pixels.min()) == 255

    @pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"%PDF-1.4"])
    def test_what_is_no_picture_is_refused_by_its_field(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "seed.png"
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"initImage: 'seed.png' is not a readable image"):
            read_image(path, size=SIZE, field="initImage")

    def test_a_cut_off_picture_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "seed.png"
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(BadInput, match="not a readable image"):
            read_image(path, size=SIZE, field="initImage")

    def test_a_picture_that_unpacks_to_absurd_sizes_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.png"
        Image.new("1", (12_000, 12_000)).save(path)
        with pytest.raises(BadInput, match="too many pixels"):
            read_image(path, size=SIZE, field="initImage")

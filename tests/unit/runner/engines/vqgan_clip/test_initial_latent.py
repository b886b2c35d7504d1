"""Where z starts (specification vqgan-clip §2.4): noise, gradients, codes, pictures, and which of them a run takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from videojob_runner.engines.vqgan_clip.latent.encoding import encode_image, gradient_image, noise_image, random_codes
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.images import to_pixels

from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, HarnessFactory, run

ONCE: dict[str, Any] = {"timelapse": {"prompts": "a", "iterations": 1}}
"""The first frame of this run is its start."""


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestPixelNoise:
    def test_bytes_are_independent_and_cover_0_to_254_evenly(self) -> None:
        levels = (noise_image((300, 200), draws=draws(1)) * 255).round()
        assert levels.shape == (1, 3, 200, 300)
        counts = torch.bincount(levels.flatten().int(), minlength=256)
        assert int(counts[255]) == 0
        expected = levels.numel() / 255
        assert int(counts[:255].min()) > 0.75 * expected
        assert int(counts[:255].max()) < 1.25 * expected
        neighbours = torch.stack([levels[..., 1:].flatten(), levels[..., :-1].flatten()])
        assert abs(float(torch.corrcoef(neighbours)[0, 1])) < 0.01
        assert abs(float(torch.corrcoef(levels[0].flatten(1))[0, 1])) < 0.02

    def test_levels_survive_the_way_through_a_file(self) -> None:
        picture = noise_image((8, 8), draws=draws(1))
        assert torch.equal(torch.from_numpy(to_pixels(picture)), (picture[0].permute(1, 2, 0) * 255).round().byte())


class TestGradients:
    def channels(self, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        red, green, blue = gradient_image((31, 21), draws=draws(seed))[0] * 255
        return red.round(), green.round(), blue.round()

    @pytest.mark.parametrize("seed", range(20))
    def test_red_goes_right_green_and_blue_go_down_within_their_ranges(self, seed: int) -> None:
        red, green, blue = self.channels(seed)
        assert torch.equal(red, red[:1].expand(21, -1))
        assert torch.equal(green, green[:, :1].expand(-1, 31))
        assert torch.equal(blue, blue[:, :1].expand(-1, 31))
        assert (float(red[0, 0]), float(green[0, 0])) == (0, 0)
        assert 1 <= float(red[0, -1]) <= 254
        assert 2 <= float(green[-1, 0]) <= 254
        assert 0 <= float(blue[0, 0]) <= 254
        assert 3 <= float(blue[-1, 0]) <= 127

    def test_ramps_are_linear_and_cut_to_bytes(self) -> None:
        red, _, _ = self.channels(3)
        end = float(red[0, -1])
        expected = torch.tensor([float(int(end * column / 30 + 1e-4)) for column in range(31)])
        assert torch.equal(red[0], expected)

    def test_the_ends_are_drawn(self) -> None:
        ends = {tuple(float(channel[-1, -1]) for channel in self.channels(seed)) for seed in range(20)}
        assert len(ends) == 20


def test_a_start_picture_becomes_codes(generator_folder: Path) -> None:
    generator = Vqgan.load(Pack.open(generator_folder, kind="vqgan"))
    for picture in (noise_image((16, 8), draws=draws(1)), gradient_image((16, 8), draws=draws(1))):
        z = encode_image(generator, picture)
        assert z.shape == (1, 4, 2, 4)
        points = z.permute(0, 2, 3, 1).reshape(-1, 4)
        assert float(torch.cdist(points, generator.codebook).amin(1).max()) < 1e-4


def test_upstream_s_codes_are_those_that_torch_s_own_seed_gives(generator_folder: Path) -> None:
    generator = Vqgan.load(Pack.open(generator_folder, kind="vqgan"))
    torch.manual_seed(5)
    tokens = torch.randint(32, (4 * 2,))
    expected = generator.codebook[tokens].view(1, 2, 4, 4).permute(0, 3, 1, 2)
    assert torch.equal(random_codes(generator, size=(16, 8), draws=draws(5)), expected)


def shown(w: EngineHarness, **fields: Any) -> bytes:
    picture, _ = run(w, **ONCE, **fields).pictures()
    return picture


@pytest.mark.parametrize("compat", [{}, {"compat": "upstream"}])
def test_q_30_noise_starts_work_and_come_from_the_seed(world: HarnessFactory, compat: dict[str, str]) -> None:
    for start in ("pixels", "gradient"):
        first, again, other = (shown(world(seed=seed), start=start, **compat) for seed in (1, 1, 2))
        assert first == again
        assert first != other
    assert shown(world(seed=1), start="pixels") != shown(world(seed=1), start="gradient")


def test_q_40_the_seed_decides_about_random_codes(world: HarnessFactory) -> None:
    for compat in ({}, {"compat": "upstream"}):
        torch.manual_seed(1)
        first = shown(world(seed=3), start="random", **compat)
        torch.manual_seed(2)
        assert shown(world(seed=3), start="random", **compat) == first
        assert shown(world(seed=4), start="random", **compat) != first


def test_an_init_image_wins_over_a_start(world: HarnessFactory) -> None:
    plain, other = world(), world()
    for w in (plain, other):
        Image.linear_gradient("L").save(w.folder / "seed.png")
    assert shown(plain, initImage="seed.png") == shown(other, initImage="seed.png", start="pixels")

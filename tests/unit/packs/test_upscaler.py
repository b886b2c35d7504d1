"""The shipped upscaler keeps its promise on pictures it has not seen, and its recipe measures honestly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import videojob_runner.models
from PIL import Image
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.upscaler.model import Upscaler

from packs.upscaler import dataset, train

SHIPPED = Path(videojob_runner.models.__file__).parent / "builtin" / "shapes-upscaler"
PROMISED_DECIBELS = 1.5
"""By which it is better than bicubic enlargement, at least."""


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler.load(Pack.open(SHIPPED, kind="upscaler"))


@pytest.fixture(scope="module")
def held_out() -> dataset.ImagePairs:
    return dataset.make_pairs(dataset.HELD_OUT_SEED, train.HELD_OUT)


def test_it_is_better_than_bicubic_on_pictures_it_has_not_seen(
    upscaler: Upscaler, held_out: dataset.ImagePairs
) -> None:
    bicubic, ours = (train.mean_psnr(each, held_out) for each in (train.bicubic, upscaler.upscale))
    assert ours - bicubic >= PROMISED_DECIBELS, (ours, bicubic)


def test_the_card_says_what_is_measured(upscaler: Upscaler, held_out: dataset.ImagePairs) -> None:
    card = json.loads((SHIPPED / "pack.json").read_text())["card"]
    assert card["psnr"]["bicubic"] == pytest.approx(train.mean_psnr(train.bicubic, held_out), abs=0.02)
    assert card["psnr"][train.NAME] == pytest.approx(train.mean_psnr(upscaler.upscale, held_out), abs=0.02)
    assert (card["pairs"], card["seed"]) == (train.HELD_OUT, dataset.HELD_OUT_SEED)


def test_it_is_better_on_most_single_pictures_too(upscaler: Upscaler, held_out: dataset.ImagePairs) -> None:
    singles = [dataset.ImagePairs(held_out.large[i : i + 1], held_out.small[i : i + 1]) for i in range(train.HELD_OUT)]
    wins = [train.mean_psnr(upscaler.upscale, each) > train.mean_psnr(train.bicubic, each) for each in singles]
    assert sum(wins) > 0.6 * len(wins)


def test_it_is_small_and_says_how_it_was_made() -> None:
    about = json.loads((SHIPPED / "pack.json").read_text())
    assert (SHIPPED / "weights.safetensors").stat().st_size < 2_000_000
    assert (about["kind"], about["licence"]) == ("upscaler", "Apache-2.0")
    assert about["training"]["versions"].keys() == {"torch", "numpy", "pillow", "spandrel"}


def test_flat_colour_stays_flat_and_itself(upscaler: Upscaler) -> None:
    flat = np.full((32, 32, 3), (40, 160, 60), dtype=np.uint8)
    inside = upscaler.upscale(flat)[16:-16, 16:-16].astype(int)
    assert np.abs(inside - flat[0, 0]).max() <= 6


class TestTheRecipe:
    def test_the_untrained_network_repeats_pixels(self) -> None:
        small = dataset.make_pairs(3, 1).small[0]
        made = train.upscale_with(train.build_network(train.UpscalerRecipe()).eval())(small).astype(int)
        repeated = small.repeat(4, axis=0).repeat(4, axis=1)
        assert np.abs(made - repeated).mean() < 25

    def test_a_few_steps_bring_it_nearer_to_the_large_pictures(self) -> None:
        recipe = train.UpscalerRecipe(pairs=16, batch=4, steps=30)
        seen = dataset.make_pairs(dataset.TRAINING_SEED, 8)
        before = train.mean_psnr(train.upscale_with(train.build_network(recipe).eval()), seen)
        assert train.mean_psnr(train.upscale_with(train.train(recipe)), seen) > before + 0.5

    def test_equal_seeds_give_equal_weights(self) -> None:
        recipe = train.UpscalerRecipe(pairs=4, batch=2, steps=2)
        one, other = (train.train(recipe).state_dict() for _ in range(2))
        assert all(torch.equal(one[name], other[name]) for name in one)

    def test_the_written_pack_opens(self, tmp_path: Path) -> None:
        recipe = train.UpscalerRecipe(filters=8, layers=2)
        train.write_upscaler_pack(tmp_path, train.build_network(recipe).eval(), recipe, seconds=1.0)
        upscaler = Upscaler.load(Pack.open(tmp_path / train.NAME, kind="upscaler"))
        assert upscaler.scale == dataset.SCALE


class TestTheMeasure:
    def test_an_error_of_one_everywhere_is_48_decibels(self) -> None:
        large = np.full((2, 96, 96, 3), 100, dtype=np.uint8)
        pairs = dataset.ImagePairs(large, large[:, ::4, ::4].copy())
        measured = train.mean_psnr(lambda small: np.full((96, 96, 3), 101, dtype=np.uint8), pairs)
        assert measured == pytest.approx(20 * np.log10(255), abs=1e-6)

    def test_bicubic_is_pillow_s(self) -> None:
        small = dataset.make_pairs(5, 1).small[0]
        expected = Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC)
        assert np.array_equal(train.bicubic(small), np.asarray(expected))

    def test_a_small_picture_is_the_large_one_s_average(self) -> None:
        pairs = dataset.make_pairs(5, 6)
        means = pairs.large.reshape(6, 24, 4, 24, 4, 3).mean(axis=(2, 4))
        assert np.abs(means - pairs.small).mean() < 6

    def test_no_training_picture_is_among_the_measured(self, held_out: dataset.ImagePairs) -> None:
        trained = {picture.tobytes() for picture in dataset.make_pairs(dataset.TRAINING_SEED, 200).large}
        assert not trained & {picture.tobytes() for picture in held_out.large}

"""The measure of layouts on pictures drawn here, whose answers are known."""

from __future__ import annotations

import kornia
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.judges.layout import Likeness, edge_map, ssim_map

SIDE = 64
Box = tuple[int, int, int, int]
MIDDLE: Box = (20, 18, 43, 41)


def square(box: Box, *, colour: str, background: str) -> NDArray[np.uint8]:
    canvas = Image.new("RGB", (SIDE, SIDE), background)
    ImageDraw.Draw(canvas).rectangle(box, fill=colour)
    return np.asarray(canvas)


def ssim(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(ssim_map(first, second).mean())


def likeness(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return Likeness.of(first, second).at_edges


def noise(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(0, 1, (SIDE, SIDE))


def test_the_ssim_is_that_of_kornia_away_from_the_border() -> None:
    first, second = noise(1), 0.6 * noise(1) + 0.4 * noise(2)
    theirs = kornia.metrics.ssim(torch.tensor(first)[None, None], torch.tensor(second)[None, None], window_size=11)
    inner = theirs[0, 0].numpy()
    assert ssim(first, second) == pytest.approx(float(inner.mean()), abs=0.01)
    assert 0.5 < ssim(first, second) < 0.95


@pytest.mark.parametrize(("a", "b"), [(0.2, 0.2), (0.0, 1.0), (0.4, 0.8)])
def test_the_ssim_of_even_planes_is_a_ratio_of_their_levels(a: float, b: float) -> None:
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert ssim(np.full((32, 32), a), np.full((32, 32), b)) == pytest.approx(expected)


def test_the_edges_of_a_square_are_its_outline() -> None:
    edges = edge_map(square(MIDDLE, colour="red", background="white"))
    assert edges.max() == 1
    assert edges[30, 30] == edges[5, 5] == 0, "neither inside nor outside"
    assert edges[30, 20] > 0.8 and edges[30, 43] > 0.8 and edges[18, 30] > 0.8 and edges[41, 30] > 0.8
    assert edges[30, 12] == edges[30, 28] == 0, "five pixels and more from the outline"


def test_an_even_picture_has_no_edges_whatever_its_grain() -> None:
    grain = np.random.default_rng(0).normal(128, 2, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
    assert edge_map(grain).mean() < 0.3
    assert edge_map(np.full((SIDE, SIDE, 3), 90, np.uint8)).max() == 0


@pytest.mark.parametrize(("colour", "background"), [("blue", "yellow"), ("white", "black"), ("green", "red")])
def test_other_colours_are_the_same_layout(colour: str, background: str) -> None:
    source = square(MIDDLE, colour="red", background="white")
    assert likeness(source, square(MIDDLE, colour=colour, background=background)) > 0.95


def test_a_picture_is_most_like_itself_and_likeness_goes_both_ways() -> None:
    first = square(MIDDLE, colour="red", background="white")
    second = square((10, 30, 30, 50), colour="red", background="white")
    assert likeness(first, first) == pytest.approx(1)
    assert likeness(first, second) == pytest.approx(likeness(second, first))


def test_likeness_falls_the_farther_a_thing_is_moved_until_the_outlines_have_parted() -> None:
    source = square(MIDDLE, colour="red", background="white")
    left, top, right, bottom = MIDDLE
    moved = [
        likeness(source, square((left + far, top, right + far, bottom), colour="red", background="white"))
        for far in (0, 1, 2, 4)
    ]
    assert moved == sorted(moved, reverse=True)
    assert moved[-1] < 0.3 < 0.7 < moved[1]


def test_empty_surroundings_are_likeness_everywhere_but_not_at_edges() -> None:
    apart = [square(box, colour="red", background="white") for box in ((4, 4, 14, 14), (48, 48, 58, 58))]
    found = Likeness.of(*apart)
    assert found.everywhere > 0.5 > 0.3 > found.at_edges


def test_the_same_colours_elsewhere_are_no_likeness() -> None:
    source = square(MIDDLE, colour="red", background="white")
    same_colours = square((2, 44, 18, 60), colour="red", background="white")
    same_layout = square(MIDDLE, colour="purple", background="green")
    assert likeness(source, same_colours) < likeness(source, same_layout) - 0.3

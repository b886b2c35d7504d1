"""The measure of layouts on pictures drawn here, whose answers are known."""

from __future__ import annotations

import kornia
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.fidelity.evaluators.edge_ssim import EdgeSimilarity, edge_map, ssim_map

SIDE = 64
Box = tuple[int, int, int, int]
MIDDLE: Box = (20, 18, 43, 41)
RED = {"colour": "red", "background": "white"}
likeness = EdgeSimilarity.of


def square(box: Box, *, colour: str, background: str) -> NDArray[np.uint8]:
    canvas = Image.new("RGB", (SIDE, SIDE), background)
    ImageDraw.Draw(canvas).rectangle(box, fill=colour)
    return np.asarray(canvas)


def ssim(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(ssim_map(first, second).mean())


def shifted(box: Box, far: int) -> Box:
    return box[0] + far, box[1], box[2] + far, box[3]


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
    edges = edge_map(square(MIDDLE, **RED))
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
    source = square(MIDDLE, **RED)
    assert likeness(source, square(MIDDLE, colour=colour, background=background)).at_edges > 0.95


def test_a_picture_is_most_like_itself_and_likeness_goes_both_ways() -> None:
    first = square(MIDDLE, **RED)
    second = square((10, 30, 30, 50), **RED)
    itself, there, back = likeness(first, first), likeness(first, second), likeness(second, first)
    assert (itself.everywhere, itself.at_edges) == pytest.approx((1, 1))
    assert (there.everywhere, there.at_edges) == pytest.approx((back.everywhere, back.at_edges))


def test_likeness_falls_the_farther_a_thing_is_moved() -> None:
    moved = [likeness(square(MIDDLE, **RED), square(shifted(MIDDLE, far), **RED)) for far in range(4)]
    assert [each.everywhere for each in moved] == sorted((each.everywhere for each in moved), reverse=True)
    assert [each.at_edges for each in moved] == sorted((each.at_edges for each in moved), reverse=True)
    assert moved[1].at_edges > 0.6 > 0.4 > moved[2].at_edges, "the outline may lie a pixel off, not two"


def test_the_same_colours_elsewhere_are_no_likeness() -> None:
    source = square(MIDDLE, **RED)
    assert likeness(source, square((2, 44, 18, 60), **RED)).at_edges < 0.1


def test_emptiness_is_like_a_mostly_empty_picture_everywhere_but_not_at_its_edges() -> None:
    nothing = likeness(square(MIDDLE, **RED), np.full((SIDE, SIDE, 3), 90, np.uint8))
    assert nothing.everywhere > 0.6
    assert nothing.at_edges < 0.01


def test_edges_where_the_source_has_none_count_against_it() -> None:
    source = square(MIDDLE, **RED)
    scratched = source.copy()
    scratched[4::8, :] = 0
    assert likeness(source, scratched).at_edges < 0.5 < 0.95 < likeness(source, source).at_edges

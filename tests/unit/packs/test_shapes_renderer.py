"""Scenes show what their rows say, seen by the classical judge, and distances have the right sign."""

from __future__ import annotations

import numpy as np
import pytest

from packs.shapes import renderer
from packs.shapes import vocabulary as words
from tests.fidelity.evaluators.color_shape import classify


def row(shape: str, colour: str, background: str, *, size: int = 2, position: int = 0, count: int = 1) -> renderer.Rows:
    picks = (words.SHAPES.index(shape), words.COLOURS.index(colour), words.BACKGROUNDS.index(background))
    return np.array([*picks, size, position, count, 0], np.int8)


def value(shape: str, x: float, y: float) -> float:
    return float(renderer.distance(words.SHAPES.index(shape), np.array([[x]]), np.array([[y]]))[0, 0])


@pytest.mark.parametrize("shape", words.SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_a_drawn_scene_is_seen_as_what_it_is(shape: str, seed: int) -> None:
    seen = classify(renderer.draw(row(shape, "yellow", "purple"), np.random.default_rng(seed)))
    assert (seen.shape, seen.colour, seen.background) == (shape, "yellow", "purple")


@pytest.mark.parametrize(
    ("shape", "inside", "outside"),
    [
        ("circle", (0.0, 0.99), (0.72, 0.72)),
        ("square", (0.85, -0.85), (0.9, 0.0)),
        ("triangle", (0.0, -1.1), (0.5, -0.8)),
        ("star", (0.0, -1.1), (0.0, 0.7)),
        ("cross", (1.0, 0.3), (0.5, 0.5)),
        ("ring", (0.0, 0.8), (0.0, 0.0)),
    ],
)
def test_distances_are_negative_inside_only(
    shape: str, inside: tuple[float, float], outside: tuple[float, float]
) -> None:
    assert value(shape, *inside) < 0 < value(shape, *outside)


def test_the_circle_s_distance_is_euclidean() -> None:
    assert value("circle", 3.0, 4.0) == pytest.approx(4.0)


@pytest.mark.parametrize(("position", "low", "high"), [(1, 0.15, 0.35), (2, 0.65, 0.85)])
def test_position_words_mean_the_upper_and_the_lower_part(position: int, low: float, high: float) -> None:
    rng = np.random.default_rng(0)
    places = [renderer.single_placement(1, position, rng) for _ in range(50)]
    assert all(low < place.y < high for place in places)


@pytest.mark.parametrize("seed", range(20))
def test_a_split_background_shows_both_of_its_colours(seed: int) -> None:
    shown = renderer.split(np.random.default_rng(seed))
    assert (shown > 0.95).mean() > 0.05
    assert (shown < 0.05).mean() > 0.05


def test_several_objects_never_touch() -> None:
    rng = np.random.default_rng(1)
    for places in (renderer.crowd_placements(3, rng) for _ in range(30)):
        gaps = [np.hypot(a.x - b.x, a.y - b.y) / a.radius for i, a in enumerate(places) for b in places[:i]]
        assert min(gaps) >= 2.35


def test_rows_never_paint_an_object_in_its_background_s_colour() -> None:
    rng = np.random.default_rng(2)
    assert all(r[words.COLOUR] != r[words.BACKGROUND] for r in (renderer.sample_row(rng) for _ in range(500)))


def test_a_chunk_is_the_same_every_time() -> None:
    first, again, other = renderer.render_chunk(7, 20), renderer.render_chunk(7, 20), renderer.render_chunk(8, 20)
    assert (first[0] == again[0]).all() and (first[1] == again[1]).all()
    assert (first[0] != other[0]).any()


def test_shares_of_negatives_and_empty_pictures_are_as_planned() -> None:
    _, rows = renderer.render_chunk(3, 1500)
    silent = (rows == words.NO_CAPTION).all(axis=1).mean()
    empty = (rows[:, words.COUNT] == 0).mean()
    negatives = renderer.TEXTURE_SHARE + renderer.NEAR_MISS_SHARE + renderer.SPLIT_SHARE
    assert silent == pytest.approx(negatives, abs=0.03)
    assert empty == pytest.approx(renderer.EMPTY_SHARE, abs=0.02)


def test_all_values_of_a_row_stay_within_the_vocabulary() -> None:
    _, rows = renderer.render_chunk(4, 500)
    for attribute, classes in enumerate(words.CLASSES):
        known = rows[:, attribute][rows[:, attribute] != words.NO_CAPTION]
        assert known.min() >= 0 and known.max() < classes

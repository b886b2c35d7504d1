"""The measure of steadiness on pictures drawn here, whose motion is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.fidelity.evaluators import temporal_stability

SIDE = 64
Pixels = NDArray[np.uint8]


def texture(*, right: float = 0.0, down: float = 0.0) -> Pixels:
    """Three smooth waves, moved."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    x, y = x - right, y - down
    waves = [np.sin(x / 5 + y / 9), np.cos(x / 8 - y / 6), np.sin((x + y) / 7)]
    return (128 + 70 * np.stack(waves, -1)).round().astype(np.uint8)


def disc(x: float, *, colour: str = "red", background: str = "white") -> Pixels:
    """A disc of radius 14, drawn four times as large and scaled down."""
    canvas = Image.new("RGB", (4 * SIDE, 4 * SIDE), background)
    ImageDraw.Draw(canvas).ellipse((4 * (x - 14), 4 * 18, 4 * (x + 14), 4 * 46), fill=colour)
    return np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX))


def still() -> NDArray[np.float64]:
    return np.zeros((SIDE, SIDE, 2))


@pytest.mark.parametrize(("right", "down"), [(1, 0), (0, -2), (2.5, 1.5), (-4, 3)])
def test_the_flow_of_a_moved_texture_is_its_motion(right: float, down: float) -> None:
    flow = temporal_stability.optical_flow(texture(), texture(right=right, down=down))[8:-8, 8:-8]
    assert np.abs(flow - np.array([right, down])).mean() < 0.15
    assert np.median(flow, axis=(0, 1)) == pytest.approx([right, down], abs=0.1)


def test_nothing_moves_between_equal_pictures() -> None:
    assert np.abs(temporal_stability.optical_flow(texture(), texture())).max() < 1e-9


def test_the_flow_of_a_disc_on_a_plain_ground_is_the_disc_s() -> None:
    flow = temporal_stability.optical_flow(disc(28), disc(31))
    rim = np.hypot(*(np.mgrid[0:SIDE, 0:SIDE] - np.array([31.5, 27.5])[:, None, None]))
    leading = (np.abs(rim - 14) < 1.5) & (np.abs(np.mgrid[0:SIDE, 0:SIDE][0] - 31.5) < 8)
    assert np.median(flow[leading], axis=0) == pytest.approx([3, 0], abs=0.5)


def test_a_moved_picture_brought_back_differs_by_little_and_not_brought_back_by_much() -> None:
    first, second = disc(28), disc(31)
    (step,) = temporal_stability.source_steps([first, second])
    with_motion = temporal_stability.warped_difference(first, second, flow=step[0], visible=step[1])
    without = temporal_stability.warped_difference(first, second, flow=still(), visible=np.ones((SIDE, SIDE), bool))
    assert with_motion < 0.2 * without


def test_the_known_motion_of_another_video_of_the_same_layout_serves_too() -> None:
    steps = temporal_stability.source_steps([disc(28), disc(31), disc(34)])
    recoloured = [disc(x, colour="blue", background="yellow") for x in (28, 31, 34)]
    standing = [recoloured[0]] * 3
    assert temporal_stability.flicker(recoloured, steps) < 0.3 * temporal_stability.flicker(standing, steps)


def test_flicker_counts_as_it_is() -> None:
    dark, bright = np.full((SIDE, SIDE, 3), 100, np.uint8), np.full((SIDE, SIDE, 3), 112, np.uint8)
    everywhere = (still(), np.ones((SIDE, SIDE), bool))
    assert temporal_stability.flicker([dark, bright, dark], [everywhere] * 2) == pytest.approx(12)
    assert temporal_stability.flicker([dark, bright, bright], [everywhere] * 2) == pytest.approx(6)
    assert temporal_stability.flicker([dark, dark], [everywhere]) == 0


def test_what_leaves_the_picture_is_not_seen() -> None:
    flow = temporal_stability.camera_flow(SIDE, SIDE, zoom=2)
    visible = temporal_stability.inside_mask(flow)
    assert visible[32, 32] and not visible[2, 2] and not visible[32, 60]
    assert visible.mean() == pytest.approx(0.25, abs=0.02)


def test_what_is_covered_in_the_second_picture_is_not_seen() -> None:
    forward, backward = still(), still()
    forward[:, 20:30, 0] = 10  # ten columns go on top of the next ten, which stay
    backward[:, 30:40, 0] = -10
    visible = temporal_stability.visible_mask(forward, backward)
    assert visible[:, 20:30].all() and not visible[:, 30:40].any() and visible[:, 42:].all()


@pytest.mark.parametrize(
    ("move", "at", "to"),
    [
        ({"zoom": 2.0}, (41.5, 31.5), (51.5, 31.5)),
        ({"zoom": 0.5}, (41.5, 21.5), (36.5, 26.5)),
        ({"rotate": 90.0}, (41.5, 31.5), (31.5, 41.5)),  # clockwise: right of the centre goes below it
        ({"rotate": 180.0, "zoom": 2.0}, (33.5, 30.5), (27.5, 33.5)),
    ],
)
def test_a_camera_takes_each_place_where_geometry_says(
    move: dict[str, float], at: tuple[float, float], to: tuple[float, float]
) -> None:
    flow = temporal_stability.camera_flow(SIDE, SIDE, **move)
    moved = np.array(at) + temporal_stability.sample_bilinear(flow, np.array([at]))[0]
    assert moved == pytest.approx(to)


def test_a_turning_wheel_is_steady_for_who_turns_with_it() -> None:
    def wheel(turn: float) -> Pixels:
        y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
        spokes = np.sin(3 * (np.arctan2(y, x) - math.radians(turn)))
        return np.repeat((128 + 60 * spokes * np.minimum(np.hypot(x, y) / 10, 1))[..., None], 3, -1).astype(np.uint8)

    frames = [wheel(5.0 * i) for i in range(4)]
    turning = temporal_stability.camera_steps(3, size=(SIDE, SIDE), zoom=1, rotate=5)
    wrong_way = temporal_stability.camera_steps(3, size=(SIDE, SIDE), zoom=1, rotate=-5)
    assert temporal_stability.flicker(frames, turning) < 1.0 < 8.0 < temporal_stability.flicker(frames, wrong_way)

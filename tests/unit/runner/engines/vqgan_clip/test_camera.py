"""The camera's turns, and the zoom of the original."""

from __future__ import annotations

import numpy as np
import pytest
from videojob_runner.engines.vqgan_clip.video.camera import Camera, upstream_zoom_box, warp
from videojob_runner.media.frames import RgbImage


def spot(*, x: int, y: int, side: int = 41) -> RgbImage:
    """A soft bright spot on black."""
    rows, columns = np.indices((side, side))
    bright = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    return np.repeat(bright[..., None], 3, axis=2).astype(np.uint8)


def place(pixels: RgbImage) -> tuple[float, float]:
    """The centre (x, y) of what is bright."""
    bright = pixels[..., 0].astype(float)
    rows, columns = np.indices(bright.shape)
    return float((bright * columns).sum() / bright.sum()), float((bright * rows).sum() / bright.sum())


@pytest.mark.parametrize(
    ("degrees", "x", "y"), [(90, 20, 30), (-90, 20, 10), (180, 10, 20), (30, 20 + 8.66, 25), (0.5, 30, 20.087)]
)
def test_a_turn_is_clockwise_about_the_centre(degrees: float, x: float, y: float) -> None:
    """A spot ten pixels to the right of the centre of 41×41, which is at (20, 20)."""
    assert place(warp(spot(x=30, y=20), rotate=degrees)) == pytest.approx((x, y), abs=0.02)


def test_a_quarter_turn_of_a_square_is_exact() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert (Camera(rotate=90)(noise) == np.rot90(noise, k=-1)).all()


def test_zoom_and_turn_go_together() -> None:
    assert place(Camera(zoom=1.2, rotate=90)(spot(x=30, y=20))) == pytest.approx((20, 32), abs=0.05)


def test_turning_leaves_no_dark_corner_and_moves_by_itself() -> None:
    white = np.full((20, 30, 3), 255, np.uint8)
    assert Camera(rotate=30).is_moving
    assert (Camera(rotate=30)(white) == 255).all()


def test_thirty_six_turns_of_ten_degrees_come_round() -> None:
    pixels = spot(x=26, y=20)
    for _ in range(36):
        pixels = Camera(rotate=10)(pixels)
    assert place(pixels) == pytest.approx((26, 20), abs=0.3)


def test_a_hundred_small_moves_neither_darken_nor_brighten() -> None:
    """Cut-off instead of rounded levels would take half a level with each."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    before = pixels.mean()
    for turn in range(100):
        pixels = Camera(rotate=0.3 if turn % 2 else -0.3)(pixels)
    assert abs(pixels.mean() - before) < 2


@pytest.mark.parametrize(
    ("size", "zoom", "box"),
    [
        ((256, 144), 1.002, (0, 0, 256, 144)),
        ((256, 144), 1.005, (1, 0, 255, 144)),
        ((256, 144), 1.01, (1, 1, 255, 143)),
        ((256, 144), 1.02, (3, 1, 253, 143)),
        ((336, 192), 1.02, (3, 2, 333, 190)),
        ((512, 512), 1.005, (1, 1, 511, 511)),
        ((512, 512), 1.02, (5, 5, 507, 507)),
        ((672, 384), 1.02, (7, 4, 665, 380)),
        ((256, 144), 0.99, (-1, -1, 257, 145)),
    ],
)
def test_the_boxes_of_the_original(size: tuple[int, int], zoom: float, box: tuple[int, int, int, int]) -> None:
    """§4.3."""
    assert upstream_zoom_box(size, zoom) == box


def test_q_24_a_small_zoom_acts_for_us_and_not_at_all_for_the_original() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (144, 256, 3), dtype=np.uint8)
    assert (Camera(zoom=1.002)(noise) != noise).mean() > 0.5
    assert (Camera(zoom=1.002, whole_pixels=True)(noise) == noise).all()


def test_q_24_zooming_out_is_reflected_for_us_and_black_for_the_original() -> None:
    white = np.full((144, 256, 3), 255, np.uint8)
    assert (Camera(zoom=0.9)(white) == 255).all()
    assert (Camera(zoom=0.9, whole_pixels=True)(white)[0] < 10).all()

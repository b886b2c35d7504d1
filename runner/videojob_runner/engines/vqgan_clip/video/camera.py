"""
The camera of a video: zoom, turn and shift of the picture between two frames.

Zoom and turn are one bicubic warp about the centre, so every factor acts in full and alike in both directions (the
rounded box of the original, kept behind `whole_pixels`, does not zoom at all below certain factors). What comes in from
outside is the picture reflected at its borders. The shift comes last and wraps around.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from videojob_runner.media.frames import RgbImage

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What moves between two frames."""

    zoom: float = 1.0
    """Above 1 zooms in; ≥ 0.5."""
    rotate: float = 0.0
    """Degrees clockwise."""
    shift_x: int = 0
    """Pixels to the right."""
    shift_y: int = 0
    """Pixels down."""
    whole_pixels: bool = False
    """Zoom as the original does: by a box of whole pixels, black where it leaves the picture."""

    @property
    def is_moving(self) -> bool:
        """Whether the picture changes between frames at all."""
        return self.zoom != 1 or self.rotate != 0 or self.shift_x != 0 or self.shift_y != 0

    def __call__(self, pixels: RgbImage) -> RgbImage:
        """The moved picture, H×W×3 like the one given."""
        if self.whole_pixels:
            turned = warp(upstream_zoom(pixels, self.zoom), rotate=self.rotate)
        else:
            turned = warp(pixels, zoom=self.zoom, rotate=self.rotate)
        return np.roll(turned, (self.shift_y, self.shift_x), axis=(0, 1))


def warp(pixels: RgbImage, *, zoom: float = 1.0, rotate: float = 0.0) -> RgbImage:
    """The picture magnified by `zoom` and turned by `rotate` degrees clockwise about its centre, same size."""
    if zoom == 1 and rotate == 0:
        return pixels
    height, width = pixels.shape[:2]
    cos, sin = math.cos(math.radians(rotate)) / zoom, math.sin(math.radians(rotate)) / zoom
    across, down = np.arange(width) - (width - 1) / 2, np.arange(height)[:, None] - (height - 1) / 2
    x = cos * across + sin * down + (width - 1) / 2  # turned back about the centre, and shrunk
    y = cos * down - sin * across + (height - 1) / 2
    return sample_cubic(pixels, x, y).round().clip(0, 255).astype(np.uint8)


def sample_cubic(pixels: RgbImage, x: Floats, y: Floats) -> Floats:
    """
    The picture at places ``[H, W]`` counted in pixels from the centre of the first, reflected outside: H×W×3.

    Keys' cubic (a = −½), which keeps even slopes. The cubics of Pillow (−1) and torch (−¾) do not: under them a move by
    a fraction of a pixel goes too far. Floats, because bytes that are cut off darken a video from frame to frame.
    """
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    outside = -left.min(), -top.min(), left.max() - pixels.shape[1] + 1, top.max() - pixels.shape[0] + 1
    border = 2 + max(0, *map(int, outside))
    source = np.pad(pixels, ((border, border), (border, border), (0, 0)), mode="reflect").astype(float)
    rows, columns = keys_weights(y - top), keys_weights(x - left)
    total = np.zeros((*x.shape, pixels.shape[2]))
    for row, column in itertools.product(range(4), repeat=2):
        values = source[top + row - 1 + border, left + column - 1 + border]
        total += (rows[row] * columns[column])[..., None] * values
    return total


def keys_weights(t: Floats) -> list[Floats]:
    """The weights of the four neighbours at −1, 0, 1, 2 of a place `t` in 0…1; their sum is 1."""
    return [
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    ]


def upstream_zoom_box(size: tuple[int, int], zoom: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what the original's zoom shows of a picture of `size`; halves round to even."""
    (width, height), (x, y) = size, (size[0] / 2, size[1] / 2)
    half_width, half_height = width / zoom / 2, height / zoom / 2
    return round(x - half_width), round(y - half_height), round(x + half_width), round(y + half_height)


def upstream_zoom(pixels: RgbImage, zoom: float) -> RgbImage:
    """The original's zoom: crop `upstream_zoom_box`, and bring it back to size by Lanczos."""
    height, width = pixels.shape[:2]
    cropped = Image.fromarray(pixels).crop(upstream_zoom_box((width, height), zoom))
    return np.asarray(cropped.resize((width, height), Image.Resampling.LANCZOS))

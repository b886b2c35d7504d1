"""
The camera of a video: zoom and shift of the picture between two frames.

The crop box of a zoom keeps its fractions of a pixel, so every factor acts in full and alike in both directions (the
rounded box of the original does not zoom at all below certain factors). Zooming out reflects the picture at its
borders. Shifts wrap around. Zoom comes before shift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from videojob_runner.contract.engine import Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What moves between two frames."""

    zoom: float = 1.0
    """Above 1 zooms in; ≥ 0.5."""
    shift_x: int = 0
    """Pixels to the right."""
    shift_y: int = 0
    """Pixels down."""

    @property
    def moves(self) -> bool:
        """Whether the picture changes between frames at all."""
        return self.zoom != 1 or self.shift_x != 0 or self.shift_y != 0

    def __call__(self, pixels: Pixels) -> Pixels:
        """The moved picture, H×W×3 like the one given."""
        return np.roll(zoomed(pixels, self.zoom), (self.shift_y, self.shift_x), axis=(0, 1))


def zoomed(pixels: Pixels, factor: float) -> Pixels:
    """The picture magnified about its centre by Lanczos, same size."""
    if factor == 1:
        return pixels
    height, width = pixels.shape[:2]
    half_width, half_height = width / factor / 2, height / factor / 2
    border = max(0, math.ceil(half_width - width / 2), math.ceil(half_height - height / 2))
    source = np.pad(pixels, ((border, border), (border, border), (0, 0)), mode="reflect") if border else pixels
    x, y = border + width / 2, border + height / 2
    box = (x - half_width, y - half_height, x + half_width, y + half_height)
    return np.asarray(Image.fromarray(source).resize((width, height), Image.Resampling.LANCZOS, box=box))

"""
Transforms of clips ``[T, C, H, W]``, alike for all frames of a clip; what is random comes from the given generator.

Spatial transforms keep uint8; `to_unit_range` or `to_symmetric_range` comes last.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor

ClipTransform = Callable[[Tensor, np.random.Generator], Tensor]


def compose(*transforms: ClipTransform) -> ClipTransform:
    """The transforms one after the other."""
    return lambda clip, rng: reduce(lambda each, transform: transform(each, rng), transforms, clip)


def to_unit_range(clip: Tensor, rng: np.random.Generator) -> Tensor:
    """Bytes as float32 in 0…1."""
    return clip.float() / 255


def to_symmetric_range(clip: Tensor, rng: np.random.Generator) -> Tensor:
    """Bytes as float32 in −1…1."""
    return clip.float() / 127.5 - 1


def resize(height: int, width: int, *, mode: Literal["squash", "center_crop"] = "center_crop") -> ClipTransform:
    """
    Makes frames `height` × `width`: squashed, or scaled until both sides are at least that and cropped at the centre.

    Bilinear with antialiasing; clips of that size stay as they are.
    """

    def transform(clip: Tensor, rng: np.random.Generator) -> Tensor:
        if clip.shape[-2:] == (height, width):
            return clip
        if mode == "squash":
            return _scale(clip, height, width)
        factor = max(height / clip.shape[-2], width / clip.shape[-1])
        rows, columns = (
            max(round(side * factor), least) for side, least in zip(clip.shape[-2:], (height, width), strict=True)
        )
        top, left = (rows - height) // 2, (columns - width) // 2
        return _scale(clip, rows, columns)[..., top : top + height, left : left + width]

    return transform


def random_crop(height: int, width: int) -> ClipTransform:
    """A random part of the frames. Raises ValueError if they are smaller."""

    def transform(clip: Tensor, rng: np.random.Generator) -> Tensor:
        rows, columns = clip.shape[-2:]
        if rows < height or columns < width:
            raise ValueError(f"frames of {rows} × {columns} have no part of {height} × {width}; resize them first")
        top, left = rng.integers(rows - height + 1), rng.integers(columns - width + 1)
        return clip[..., top : top + height, left : left + width]

    return transform


def random_horizontal_flip(probability: float = 0.5) -> ClipTransform:
    """Mirrors all frames left to right, or none."""
    return lambda clip, rng: clip.flip(-1) if rng.random() < probability else clip


def random_quarter_turns(clip: Tensor, rng: np.random.Generator) -> Tensor:
    """Turns all frames by 0, 90, 180 or 270 degrees; a quarter turn exchanges height and width."""
    return torch.rot90(clip, int(rng.integers(4)), (-2, -1))


def random_channel_order(clip: Tensor, rng: np.random.Generator) -> Tensor:
    """Exchanges the colour channels of all frames alike."""
    return clip[..., torch.from_numpy(rng.permutation(clip.shape[-3])), :, :]


def _scale(clip: Tensor, height: int, width: int) -> Tensor:
    scaled = nnf.interpolate(clip.float(), (height, width), mode="bilinear", antialias=True)
    return scaled if clip.is_floating_point() else scaled.round().clamp(0, 255).to(clip.dtype)

"""
The cutouts' resampling as a separable linear map.

A crop of `side` pixels becomes `target` pixels: when shrinking, first a Lanczos-2 low-pass with reflected borders, then
bicubic interpolation with aligned corners (specification vqgan-clip §2.9.2). Along one axis that is a matrix of
`target` × `side`, found by resampling the identity; a whole batch of crops then costs two batched matrix products.
Adaptive average pooling, which one cut method uses instead, is such a map too.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as nnf
from torch import Tensor


def lanczos_kernel(ratio: float) -> Tensor:
    """Normalised Lanczos-2 taps ``[2·⌈2/ratio + 1⌉ − 3]`` in double precision, sampled every `ratio` (below 1)."""
    half = torch.arange(math.ceil(2 / ratio + 1) - 1, dtype=torch.float64) * ratio
    taps = torch.where(half < 2, torch.sinc(half) * torch.sinc(half / 2), torch.zeros_like(half))
    kernel = torch.cat([taps.flip(0)[:-1], taps])
    return kernel / kernel.sum()


def resampling_matrix(side: int, target: int) -> Tensor:
    """
    The map of one axis, float32 ``[target, side]``; the identity when both are equal.

    The interpolation's positions are rounded to float32 on purpose: so are those of a crop interpolated alone, from
    which this would otherwise differ by 2·10⁻⁵ at 384 pixels instead of 5·10⁻⁷.
    """
    columns = torch.eye(side, dtype=torch.float64)[None, None]
    if target < side:
        kernel = lanczos_kernel(target / side)
        border = len(kernel) // 2
        padded = nnf.pad(columns, (0, 0, border, border), mode="reflect")
        columns = nnf.conv2d(padded, kernel.view(1, 1, -1, 1))
    return nnf.interpolate(columns.float(), size=(target, side), mode="bicubic", align_corners=True)[0, 0]


def pooling_matrix(side: int, target: int) -> Tensor:
    """The map of one axis of adaptive average pooling, float32 ``[target, side]``; it also enlarges."""
    return nnf.adaptive_avg_pool1d(torch.eye(side)[None], target)[0].t()


class Resampler:
    """Resamples square crops of one picture to `target` pixels, keeping the matrices of sides it has seen."""

    def __init__(self, target: int, *, axis: Callable[[int, int], Tensor] = resampling_matrix) -> None:
        self.target = target
        self._make = axis
        self._matrices: dict[int, Tensor] = {}

    def axis(self, *, side: int, offset: int, length: int) -> Tensor:
        """The map from a whole axis of `length` pixels to a crop that starts at `offset`: ``[target, length]``."""
        if side not in self._matrices:
            self._matrices[side] = self._make(side, self.target)
        return nnf.pad(self._matrices[side], (offset, length - offset - side))

    def crop(self, picture: Tensor, boxes: Tensor) -> Tensor:
        """The crops ``[n, 3, S, S]`` of ``[1, 3, H, W]``; `boxes` are integer rows of x, y and side ``[n, 3]``."""
        height, width = picture.shape[-2:]
        rows = boxes.tolist()
        down = torch.cat([self.axis(side=side, offset=y, length=height) for _, y, side in rows]).to(picture)
        across = torch.stack([self.axis(side=side, offset=x, length=width) for x, _, side in rows]).to(picture)
        shrunk = (down @ picture[0]).view(3, len(rows), self.target, width).transpose(0, 1)  # [n, 3, S, W]
        crops: Tensor = shrunk @ across[:, None].mT
        return crops

"""
Layout loss: keeps the layout of a reference image while its colors may change.

A layout is which places have the same colour and which do not: a red disc on white and a blue one on yellow have the
same. The difference of two layouts is counted over all pairs of places, half of it over those that are alike in the
one to keep to, half over the others, so that a small thing on a large ground weighs as much as the ground. What
separates two places need not be as strong as it is there: the prompts choose the colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import torch
import torch.nn.functional as nnf
from torch import Tensor

MAX_POSITIONS: Final = 32 * 32
"""At most about so many places are compared, whatever the size of the picture: their pairs are what it costs."""
SIMILARITY_SCALE: Final = 0.2
"""Two colours so far apart, in the sum of their channels of 0…1, are alike by 1/e; orange and red are 0.57 apart."""
PROXIMITY_SCALE: Final = 0.4
"""Two colours so far apart are near by a quarter."""


def weight_ramp(lead_done: float) -> float:
    """
    The part of a layout's weight that acts when this part of the lead is done.

    None in the first fifth, while the prompts find their colours wherever they like; growing in the next two, in which
    those move to their places; then all of it. Held sooner, the ground gets the first colour that comes. Held later, it
    is left in a mean of what had come to be in it, such as a grayish green.
    """
    return min(max((lead_done - 0.2) / 0.4, 0.0), 1.0) ** 2


def color_distances(picture: Tensor) -> Tensor:
    """How far apart the colours of all pairs of places of ``[1, 3, H, W]`` are, ``[n · n]`` in 0…3."""
    side = max(1, math.ceil(math.sqrt(picture.shape[-1] * picture.shape[-2] / MAX_POSITIONS)))
    colours = nnf.avg_pool2d(picture, side, ceil_mode=True).flatten(2).mT
    return torch.cdist(colours, colours, p=1).flatten()


def similarity(distance: Tensor) -> Tensor:
    """Whether colours pass for the same, 0…1: soon not at all, so that it takes no contrast to tell things apart."""
    return torch.exp(distance / -SIMILARITY_SCALE)


def proximity(distance: Tensor) -> Tensor:
    """
    How near colours are, 0…1: steep where they are equal, so that grain on a plain ground costs, and never quite flat.

    Where a thing has moved to, the ground is drawn to the thing's colour, however different that is.
    """
    return (1 + distance / PROXIMITY_SCALE) ** -2


@dataclass(frozen=True, slots=True)
class LayoutLoss:
    """A layout to keep to, and how strongly."""

    similar_pairs: Tensor
    """``[n · n]``: how alike each pair of places is, in parts of all pairs."""
    dissimilar_pairs: Tensor
    """The same of how unlike."""
    weight: float

    @classmethod
    @torch.no_grad()
    def from_image(cls, picture: Tensor, *, weight: float) -> LayoutLoss:
        """That of a picture ``[1, 3, H, W]``."""
        same = similarity(color_distances(picture))
        other = 1 - same
        return cls(same / same.sum(), other / other.sum().clamp_min(1), weight)

    def scale(self, part: float) -> LayoutLoss:
        """The same with another part of its weight."""
        return replace(self, weight=part * self.weight)

    def loss(self, picture: Tensor) -> Tensor:
        """What to add to the loss of a picture of the same size: a scalar, at most twice the weight."""
        found = color_distances(picture)
        return self.weight * (1 - proximity(found) @ self.similar_pairs + similarity(found) @ self.dissimilar_pairs)

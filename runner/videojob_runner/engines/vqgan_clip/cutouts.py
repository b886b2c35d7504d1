"""
Square crops of the picture as CLIP shall see them.

Crops are drawn, resampled to CLIP's input side and, unless the method is `original`, augmented; all `count` of them go
through each step as one batch. A picture no larger than CLIP's input has only one possible crop: it is resampled once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from videojob_runner.engines.vqgan_clip.augment import Augmentation, Augmenter
from videojob_runner.engines.vqgan_clip.clamp import clamp_with_gradient
from videojob_runner.engines.vqgan_clip.randomness import Randomness
from videojob_runner.engines.vqgan_clip.resample import Resampler

Method = Literal["original", "kornia", "nvg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutOptions:
    """How many crops, how large they tend to be, and what happens to them."""

    count: int = 32
    power: float = 1.0
    """Above 1 small crops are more likely, below 1 large ones."""
    method: Method = "kornia"
    """`original`: crops alone; `kornia`: augmented; `nvg`: the same with the colours after the geometry."""
    augmentation: Augmentation = field(default_factory=Augmentation)


def crop_boxes(options: CutoutOptions, *, size: tuple[int, int], target: int, generator: torch.Generator) -> Tensor:
    """
    Random crops of a picture of `size` (width, height): rows of x, y, side in pixels, ``[n, 3]`` int64.

    side = ⌊u^power·(largest − smallest) + smallest⌋ with largest = min(size) and smallest = min(size, target), so a
    crop never needs enlarging unless the picture itself is small; x and y are uniform over what fits.
    """
    largest, smallest = min(size), min(*size, target)
    u, across, down = torch.rand(3, options.count, generator=generator, dtype=torch.float64)
    side = (u**options.power * (largest - smallest) + smallest).floor()
    offsets = [(v * (length - side + 1)).floor() for v, length in zip((across, down), size, strict=True)]
    return torch.stack([*offsets, side], 1).long()


class Cutouts:
    """Makes the batch that CLIP sees from the picture; `target` is CLIP's input side S."""

    def __init__(self, options: CutoutOptions, *, target: int) -> None:
        self.options = options
        self.target = target
        self.resampler = Resampler(target)
        order: Literal["kornia", "nvg"] = "nvg" if options.method == "nvg" else "kornia"
        self.augmenter = None if options.method == "original" else Augmenter(options.augmentation, order=order)

    def __call__(self, picture: Tensor, randomness: Randomness) -> Tensor:
        """``[1, 3, H, W]`` in 0…1 to ``[n, 3, S, S]``; values may leave 0…1 a little unless the method clamps."""
        crops = self.crops(picture, randomness.host)
        return clamp_with_gradient(crops) if self.augmenter is None else self.augmenter(crops, randomness)

    def crops(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """The resampled crops ``[n, 3, S, S]`` before augmentation."""
        height, width = picture.shape[-2:]
        boxes = crop_boxes(self.options, size=(width, height), target=self.target, generator=generator)
        if width == height <= self.target:
            whole = picture if width == self.target else self.resampler.crops(picture, boxes[:1])
            return whole.expand(self.options.count, -1, -1, -1)
        return self.resampler.crops(picture, boxes)

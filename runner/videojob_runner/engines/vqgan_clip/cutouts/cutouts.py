"""
Square pictures for CLIP, made of the one picture that is steered.

Most methods draw crops, resample them to CLIP's input side and augment them; two pool the whole picture instead
(specification vqgan-clip §2.9.3). All `count` of them go through each step as one batch. A square no larger than CLIP's
input has only one possible crop, which is resampled once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as nnf
from torch import Tensor
from videojob_api.pipelines.vqgan_clip import Augment, CutMethod

from videojob_runner.engines.vqgan_clip.cutouts import presets
from videojob_runner.engines.vqgan_clip.cutouts.augmenter import Augmenter
from videojob_runner.engines.vqgan_clip.cutouts.presets import DEFAULT_AUGMENTS, DEFAULT_NOISE, AugmentationOptions
from videojob_runner.engines.vqgan_clip.cutouts.resample import Resampler, pooling_matrix, resampling_matrix
from videojob_runner.torch_utils.clamp import clamp_with_gradient
from videojob_runner.torch_utils.random_streams import RandomStreams


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutOptions:
    """How many cutouts, how large their crops tend to be, and what happens to them."""

    count: int = 32
    power: float = 1.0
    """Above 1 small crops are more likely, below 1 large ones."""
    method: CutMethod = "kornia"
    augmentation: AugmentationOptions = field(default_factory=AugmentationOptions)
    """Of `kornia` and `nvg`."""
    augments: tuple[Augment, ...] = DEFAULT_AUGMENTS
    """Of `latest` and `nrupdated`, in their order."""
    upstream: bool = False
    """Augment, and draw crops, as the original programs do."""

    @property
    def uses_pooling(self) -> bool:
        """The whole picture is taken instead of crops."""
        return self.method in ("latest", "updatedpooling")


def build_augmenter(options: CutoutOptions, *, side: int) -> Augmenter | None:
    """What augments views of `side` pixels; None where the method has no augmentation."""
    own, upstream = options.augmentation, options.upstream
    match options.method:
        case "kornia":
            return Augmenter(presets.kornia_steps(own, upstream=upstream), noise=own.noise)
        case "nvg":
            return Augmenter(presets.nvg_steps(own, upstream=upstream), noise=own.noise)
        case "updatedpooling":
            return Augmenter(presets.pooling_steps(upstream=upstream), noise=DEFAULT_NOISE)
        case "latest":
            steps = presets.latest_steps(options.augments, side=side, upstream=upstream)
            return Augmenter(steps, noise=DEFAULT_NOISE)
        case "nrupdated":
            steps = presets.nrupdated_steps(options.augments, side=side, upstream=upstream)
            return Augmenter(steps, noise=DEFAULT_NOISE)
        case _:
            return None


def draw_crop_boxes(
    options: CutoutOptions, *, size: tuple[int, int], target: int, generator: torch.Generator
) -> Tensor:
    """
    Random crops of a picture of `size` (width, height): rows of x, y, side in pixels, ``[n, 3]`` int64.

    side = ⌊u^power·(largest − smallest) + smallest⌋ with largest = min(size) and smallest = min(size, target), so a
    crop never needs enlarging unless the picture itself is small; x and y are uniform over what fits.
    """
    largest, smallest = min(size), min(*size, target)
    if options.upstream:
        return torch.tensor([draw_crop_box_upstream(options, size, target, generator) for _ in range(options.count)])
    u, across, down = torch.rand(3, options.count, generator=generator, dtype=torch.float64)
    side = (u**options.power * (largest - smallest) + smallest).floor()
    offsets = [(v * (length - side + 1)).floor() for v, length in zip((across, down), size, strict=True)]
    return torch.stack([*offsets, side], 1).long()


def draw_crop_box_upstream(
    options: CutoutOptions, size: tuple[int, int], target: int, generator: torch.Generator
) -> tuple[int, int, int]:
    """One crop, with numbers of the same types drawn in the same order as the original's (§2.9.1)."""
    largest, smallest = min(size), min(*size, target)
    side = int(torch.rand((), generator=generator) ** options.power * (largest - smallest) + smallest)
    x, y = (int(torch.randint(0, length - side + 1, (), generator=generator)) for length in size)
    return x, y, side


def pool(picture: Tensor, side: int) -> Tensor:
    """The whole picture ``[1, 3, H, W]`` squashed to ``[1, 3, S, S]``: half the mean and half the largest values."""
    both = nnf.adaptive_avg_pool2d(picture, side) + nnf.adaptive_max_pool2d(picture, side)
    return both / 2


class Cutouts:
    """Makes the batch that CLIP sees from the picture; `target` is CLIP's input side S."""

    def __init__(self, options: CutoutOptions, *, target: int) -> None:
        self.options = options
        self.target = target
        self.resampler = Resampler(target, axis=pooling_matrix if options.method == "sg3" else resampling_matrix)
        self.augmenter = build_augmenter(options, side=target)

    def __call__(self, picture: Tensor, randomness: RandomStreams) -> Tensor:
        """``[1, 3, H, W]`` in 0…1 to ``[n, 3, S, S]``; values may leave 0…1 a little unless the method clamps."""
        crops = self.crop(picture, randomness.host)
        if self.augmenter is not None:
            return self.augmenter(crops, randomness)
        return crops if self.options.method == "sg3" else clamp_with_gradient(crops)

    def crop(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """The resampled crops, or pooled copies, ``[n, 3, S, S]`` before augmentation."""
        if self.options.uses_pooling:
            return pool(picture, self.target).expand(self.options.count, -1, -1, -1)
        height, width = picture.shape[-2:]
        boxes = draw_crop_boxes(self.options, size=(width, height), target=self.target, generator=generator)
        if width == height <= self.target:
            whole = picture if width == self.target else self.resampler.crop(picture, boxes[:1])
            return whole.expand(self.options.count, -1, -1, -1)
        return self.resampler.crop(picture, boxes)

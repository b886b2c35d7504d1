"""
What happens to cutouts before CLIP sees them, so that the picture must please it from many views: the steps of a
recipe, then noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from videojob_runner.engines.vqgan_clip.cutouts.steps import AugmentationStep
from videojob_runner.torch_utils.random_streams import RandomStreams


class Augmenter:
    """Draws one view for each cutout; `noise` is the upper bound of the deviation of what is added at the end."""

    def __init__(self, steps: Sequence[AugmentationStep], *, noise: float) -> None:
        self.steps = steps
        self.noise = noise

    def __call__(self, views: Tensor, randomness: RandomStreams) -> Tensor:
        """The augmented views of float ``[n, 3, S, S]`` in 0…1, same shape; the noise is not clamped."""
        for step in self.steps:
            views = step(views, randomness)
        return self.add_noise(views, randomness.noise)

    def add_noise(self, views: Tensor, generator: torch.Generator) -> Tensor:
        """Adds normal noise whose deviation is drawn for each view from U(0, `noise`)."""
        if not self.noise:
            return views
        deviation = torch.rand((len(views), 1, 1, 1), generator=generator, device=views.device) * self.noise
        return views + deviation * torch.randn(views.shape, generator=generator, device=views.device)

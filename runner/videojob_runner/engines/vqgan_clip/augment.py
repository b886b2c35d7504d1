"""
What happens to cutouts before CLIP sees them, so that the picture must please it from many views.

kornia draws the parameters and does the colours. The geometry of a view (mirror, turn and shift, perspective) is
composed into one homography and sampled once with replicated borders: cheaper and sharper than a warp for each, and
nothing darkens at the edges. A mirror commutes with the colour steps, so composing it loses nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import kornia.augmentation as kornia
import torch
from kornia.geometry.transform import warp_perspective
from pydantic import Field
from torch import Tensor
from videojob_api.base import Document

from videojob_runner.engines.vqgan_clip.randomness import Randomness, global_draws_from

Chance = Annotated[float, Field(ge=0, le=1)]


class Augmentation(Document):
    """Ranges and chances of the `kornia` cutouts (specification vqgan-clip §2.9.3); a range of 0 leaves a step out."""

    flip_chance: Chance = 0.5
    """Mirror left and right."""
    turn_degrees: Annotated[float, Field(ge=0, le=180)] = 30.0
    """Largest turn either way."""
    shift: Annotated[tuple[Chance, Chance], Field(strict=False)] = (0.1, 0.1)
    """Largest shift across and down, as parts of the side."""
    affine_chance: Chance = 0.8
    """Of turning and shifting."""
    perspective: Chance = 0.2
    """How far corners may move inward, in halves of the side."""
    perspective_chance: Chance = 0.4
    sharpness: Chance = 0.3
    """Upper bound of the factor: 0 is a full 3×3 blur, 1 no change. As a range of 0 it leaves the step out."""
    sharpness_chance: Chance = 0.4
    jitter: Annotated[float, Field(ge=0, le=0.5)] = 0.01
    """Of hue and saturation."""
    jitter_chance: Chance = 0.7
    noise: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Upper bound of the deviation of the normal noise added at the end; not clamped."""


def geometry(options: Augmentation) -> list[Any]:
    """The kornia modules whose matrices make a view, in the order of their application."""
    affine = kornia.RandomAffine(options.turn_degrees, translate=options.shift, p=options.affine_chance)
    perspective = kornia.RandomPerspective(options.perspective, p=options.perspective_chance)
    return [
        kornia.RandomHorizontalFlip(p=options.flip_chance),
        *([affine] if options.turn_degrees or any(options.shift) else []),
        *([perspective] if options.perspective else []),
    ]


def colours(options: Augmentation) -> tuple[list[Any], list[Any]]:
    """The jitter and the sharpness step, each a list of one kornia module or none."""
    jitter = kornia.ColorJitter(hue=options.jitter, saturation=options.jitter, p=options.jitter_chance)
    sharpness = kornia.RandomSharpness(options.sharpness, p=options.sharpness_chance)
    return [jitter] if options.jitter else [], [sharpness] if options.sharpness else []


def view_matrices(steps: list[Any], views: Tensor) -> Tensor:
    """One homography ``[n, 3, 3]`` for each of ``[n, 3, S, S]``, from source to view pixels; draws globally."""
    matrices = torch.eye(3).expand(len(views), 3, 3)
    outline = torch.empty(views.shape)
    for step in steps:
        drawn = step.forward_parameters(views.shape)
        matrices = step.generate_transformation_matrix(outline, drawn, step.flags) @ matrices
    return matrices.to(views)


class Augmenter:
    """Draws one view for each cutout; `order` says whether colours jitter before the geometry or after it (NVG)."""

    def __init__(self, options: Augmentation, *, order: Literal["kornia", "nvg"] = "kornia") -> None:
        jitter, sharpness = colours(options)
        self.before = [*jitter, *sharpness] if order == "kornia" else sharpness
        self.after = [] if order == "kornia" else jitter
        self.geometry = geometry(options)
        self.noise = options.noise

    def __call__(self, views: Tensor, randomness: Randomness) -> Tensor:
        """The augmented views of float ``[n, 3, S, S]`` in 0…1, same shape."""
        with global_draws_from(randomness.host):
            for step in self.before:
                views = step(views)
            matrices = view_matrices(self.geometry, views)
            size = (views.shape[-2], views.shape[-1])
            views = warp_perspective(views, matrices, size, padding_mode="border", align_corners=True)
            for step in self.after:
                views = step(views)
        return self.noisy(views, randomness.noise)

    def noisy(self, views: Tensor, generator: torch.Generator) -> Tensor:
        """Adds normal noise whose deviation is drawn for each view from U(0, `noise`)."""
        if not self.noise:
            return views
        deviation = torch.rand((len(views), 1, 1, 1), generator=generator, device=views.device) * self.noise
        return views + deviation * torch.randn(views.shape, generator=generator, device=views.device)

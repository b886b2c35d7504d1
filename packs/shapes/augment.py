"""
What a picture goes through before CLIP looks at it: in training the same family of views as the cutouts of guidance.

All geometry of one view is composed into a single homography and sampled once, bilinearly, so a view costs one
`grid_sample`. `TRAINING` is a little wider than `GUIDANCE`, which copies the renderer's `kornia` cutouts (flip,
rotation, vertical shift, perspective, noise; border padding). Colours keep their meaning: gains stay within a few
percent, because hue is what captions name. Images are float ``[n, 3, H, W]`` in 0…1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as nnf
from torch import Tensor

VIEW_SIZE: Final = 64
"""Pixels per side of a view, CLIP's input."""


@dataclass(frozen=True, slots=True)
class ViewRanges:
    """Ranges and probabilities of one family of views; angles in degrees, the rest in fractions of the side."""

    zoom: tuple[float, float] | None
    turn: float
    turn_chance: float
    shift: float
    shift_chance: float
    squeeze: float
    squeeze_chance: float
    zeros_chance: float
    tint: float
    blur_chance: float
    noise: float


TRAINING: Final = ViewRanges((0.55, 1.1), 30, 0.75, 0.10, 0.8, 0.2, 0.4, 0.0, 0.03, 0.35, 0.1)
GUIDANCE: Final = ViewRanges(None, 30, 0.8, 0.10, 1.0, 0.2, 0.4, 0.0, 0.0, 0.0, 0.1)


def uniform(n: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    """`n` draws from U(low, high)."""
    return torch.rand(n, generator=rng) * (high - low) + low


def bernoulli(n: int, chance: float, rng: torch.Generator) -> Tensor:
    """`n` coins, 1.0 with probability `chance`."""
    return (torch.rand(n, generator=rng) < chance).float()


def affine(n: int, views: ViewRanges, *, strength: float, rng: torch.Generator) -> Tensor:
    """Zoom, rotation, vertical shift and flip as matrices ``[n, 3, 3]`` from view to picture coordinates (−1…1)."""
    scale, dx, dy = torch.ones(n), torch.zeros(n), torch.zeros(n)
    if views.zoom:
        low, high = (1 + strength * (bound - 1) for bound in views.zoom)
        scale = torch.where(bernoulli(n, 0.5, rng) > 0, uniform(n, low, high, rng), scale)
        dx, dy = (uniform(n, -1, 1, rng) * (1 - scale) for _ in range(2))
    angle = torch.deg2rad(uniform(n, -views.turn, views.turn, rng)) * strength * bernoulli(n, views.turn_chance, rng)
    shift = uniform(n, -2 * views.shift, 2 * views.shift, rng) * strength * bernoulli(n, views.shift_chance, rng)
    mirror = 1 - 2 * bernoulli(n, 0.5, rng)
    cos, sin, zero, one = torch.cos(angle), torch.sin(angle), torch.zeros(n), torch.ones(n)
    turned = torch.stack([cos * mirror, -sin, zero, sin * mirror, cos, shift, zero, zero, one], 1).view(n, 3, 3)
    placed = torch.stack([scale, zero, dx, zero, scale, dy, zero, zero, one], 1).view(n, 3, 3)
    return placed @ turned


def perspective(n: int, views: ViewRanges, *, strength: float, rng: torch.Generator) -> Tensor:
    """Homographies ``[n, 3, 3]`` that send corners moved inward in the view to the corners of the picture."""
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    inward = (
        uniform(n * 8, 0, views.squeeze, rng).view(n, 4, 2)
        * strength
        * bernoulli(n, views.squeeze_chance, rng)[:, None, None]
    )
    source = corners * (1 - inward)
    x, y, zero, one = source[..., 0], source[..., 1], torch.zeros(n, 4), torch.ones(n, 4)
    u, v = corners[:, 0].expand(n, 4), corners[:, 1].expand(n, 4)
    rows_u = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], 2)
    rows_v = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], 2)
    solved = torch.linalg.solve(torch.cat([rows_u, rows_v], 1), torch.cat([u, v], 1))
    return torch.cat([solved, torch.ones(n, 1)], 1).view(n, 3, 3)


def warp(images: Tensor, matrices: Tensor, *, zeros: bool) -> Tensor:
    """Views ``[n, 3, 64, 64]`` of the pictures under homographies from view to picture coordinates."""
    at = (torch.arange(VIEW_SIZE) + 0.5) * 2 / VIEW_SIZE - 1
    y, x = torch.meshgrid(at, at, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], -1).view(-1, 3)
    mapped = points @ matrices.transpose(1, 2)
    grid = (mapped[..., :2] / mapped[..., 2:]).view(-1, VIEW_SIZE, VIEW_SIZE, 2)
    return nnf.grid_sample(images, grid, padding_mode="zeros" if zeros else "border", align_corners=False)


def box_blur(images: Tensor) -> Tensor:
    """3×3 box mean with replicated borders."""
    return nnf.avg_pool2d(nnf.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)


def jitter_color(images: Tensor, views: ViewRanges, *, strength: float, rng: torch.Generator) -> Tensor:
    """Gain, per-channel gain and bias within `tint`, then blur and noise."""
    n = len(images)
    if views.tint:
        tint = views.tint * strength
        gain = (
            1
            + uniform(n, -2 * tint, 2 * tint, rng).view(n, 1, 1, 1)
            + uniform(3 * n, -tint, tint, rng).view(n, 3, 1, 1)
        )
        images = images * gain + uniform(n, -tint, tint, rng).view(n, 1, 1, 1)
    if views.blur_chance:
        images = torch.where(
            bernoulli(n, views.blur_chance * strength, rng).view(n, 1, 1, 1) > 0, box_blur(images), images
        )
    amount = uniform(n, 0, views.noise * strength, rng).view(n, 1, 1, 1)
    return images + amount * torch.randn(images.shape, generator=rng)


def augment(images: Tensor, views: ViewRanges, *, strength: float = 1.0, rng: torch.Generator) -> Tensor:
    """One random view ``[n, 3, 64, 64]`` per picture; `strength` 0…1 scales every range."""
    n = len(images)
    matrices = affine(n, views, strength=strength, rng=rng) @ perspective(n, views, strength=strength, rng=rng)
    zeros = bool(torch.rand(1, generator=rng) < views.zeros_chance)
    return jitter_color(warp(images, matrices, zeros=zeros), views, strength=strength, rng=rng)

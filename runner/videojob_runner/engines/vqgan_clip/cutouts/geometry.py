"""
Views from other places: mirrors, turns, shifts, perspectives.

kornia draws the parameters and makes the matrices. By default all steps that follow each other are composed into one
homography and sampled once, with replicated borders: cheaper and sharper than a warp for each, and nothing darkens at
the edges. The original programs warp step by step, and their perspective is black outside and scales the picture by
W/(W − 1) (specification vqgan-clip §2.9.4); `UpstreamPerspective` does the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import kornia.augmentation as kornia
import torch
import torch.nn.functional as nnf
from kornia.geometry.conversions import normalize_homography
from kornia.geometry.transform import warp_perspective
from torch import Tensor

from videojob_runner.torch_utils.random_streams import RandomStreams, borrow_global_rng


def view_matrices(modules: Sequence[Any], views: Tensor) -> Tensor:
    """One homography ``[n, 3, 3]`` for each of ``[n, 3, S, S]``, from source to view pixels; draws globally."""
    matrices = torch.eye(3).expand(len(views), 3, 3)
    outline = torch.empty(views.shape)
    for module in modules:
        drawn = module.forward_parameters(views.shape)
        matrices = module.generate_transformation_matrix(outline, drawn, module.flags) @ matrices
    return matrices.to(views)


@dataclass(frozen=True, slots=True)
class ComposedWarp:
    """kornia's geometric modules, composed in their order and sampled once."""

    modules: tuple[Any, ...]

    def __call__(self, views: Tensor, randomness: RandomStreams) -> Tensor:
        """The views of ``[n, 3, S, S]``, same shape."""
        with borrow_global_rng(randomness.host):
            matrices = view_matrices(self.modules, views)
        size = (views.shape[-2], views.shape[-1])
        warped: Tensor = warp_perspective(views, matrices, size, padding_mode="border", align_corners=True)
        return warped


class UpstreamPerspective:
    """The original's perspective: `distortion` in halves of the side, `chance` for each view."""

    def __init__(self, distortion: float, *, chance: float) -> None:
        self.module = kornia.RandomPerspective(distortion, p=chance)

    def __call__(self, views: Tensor, randomness: RandomStreams) -> Tensor:
        """The views of ``[n, 3, S, S]``, same shape; those that are not drawn stay untouched."""
        with borrow_global_rng(randomness.host):
            drawn = self.module.forward_parameters(views.shape)
        outline = torch.empty(views.shape)
        matrices = self.module.generate_transformation_matrix(outline, drawn, self.module.flags)
        chosen = (drawn["batch_prob"] > 0.5).to(views.device)
        return torch.where(chosen.view(-1, 1, 1, 1), warp_upstream(views, matrices.to(views)), views)


def warp_upstream(views: Tensor, matrices: Tensor) -> Tensor:
    """
    Views through homographies ``[n, 3, 3]`` as kornia 0.5.11 warped them.

    The grid spans the centres of the outermost pixels, but is sampled as if it spanned their outer edges.
    """
    height, width = views.shape[-2:]
    back = torch.linalg.inv(normalize_homography(matrices, (height, width), (height, width)))
    y, x = (torch.linspace(-1, 1, side, device=views.device) for side in (height, width))
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    points = torch.stack([columns, rows, torch.ones_like(rows)], -1).view(1, -1, 3) @ back.mT
    grid = (points[..., :2] / points[..., 2:]).view(len(views), height, width, 2)
    return nnf.grid_sample(views, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

"""
Nearest codebook vectors, with the gradient passed straight through.

An exact index gather takes the place of the one-hot product of the original: bitwise equal in float32 and without its
large temporaries. The distances leave out ‖z‖², which is the same for every code.
"""

from __future__ import annotations

import torch
from torch import Tensor


def nearest_codes(z: Tensor, codebook: Tensor) -> Tensor:
    """Indices ``[B, h, w]`` of the codes (rows of ``[K, C]``) nearest to ``[B, C, h, w]``; ties: first."""
    with torch.no_grad():
        points = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        distances = torch.addmm(codebook.square().sum(1), points, codebook.t(), alpha=-2)
        return distances.argmin(1).view(z.shape[0], *z.shape[2:])


def codes_to_latent(indices: Tensor, codebook: Tensor) -> Tensor:
    """The vectors ``[B, C, h, w]`` behind indices ``[B, h, w]``."""
    return codebook[indices].permute(0, 3, 1, 2).contiguous()


def quantize(z: Tensor, codebook: Tensor) -> Tensor:
    """``[B, C, h, w]`` snapped to the codebook ``[K, C]``; the output's gradient goes to `z` unchanged."""
    snapped = codes_to_latent(nearest_codes(z, codebook), codebook)
    return snapped + (z - z.detach())  # adds exact zeros forward


def codebook_range(codebook: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of every channel, both ``[1, C, 1, 1]``: what z is clamped to after a step."""
    low, high = codebook.detach().aminmax(dim=0)
    return low.view(1, -1, 1, 1), high.view(1, -1, 1, 1)

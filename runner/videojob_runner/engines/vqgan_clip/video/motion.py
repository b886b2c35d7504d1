"""
Motion estimation between two frames, used to warp the previous result onto the next frame.

Full-search block matching: each cell of a latent looks for the place, up to two cells away, around which the other
picture is most like its own surroundings, in quarters of a cell. Carrying the last frame along the source's motion
before the next is made is what Ruder et al. (2016, "Artistic style transfer for videos") found to keep a film steady.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as nnf
from torch import Tensor

SUBCELL_STEPS: Final = 4
"""Steps of the search for each cell of the latent."""
SEARCH_RADIUS: Final = 2
"""How many cells away a thing is looked for."""
BLOCK_MARGIN: Final = 2
"""Steps around a cell that count as its surroundings."""
DISPLACEMENT_PENALTY: Final = 0.004
"""
What a step away costs, in mean differences of colours of 0…1: plain grounds, which are alike anywhere, stay in place.
"""


@torch.no_grad()
def estimate_motion(after: Tensor, before: Tensor, *, cells: tuple[int, int]) -> Tensor:
    """
    Where the things of `after` are in `before`, both ``[1, 3, H, W]`` in 0…1.

    Returns how many cells to the right and down, ``[1, h, w, 2]`` for `cells` of h × w.
    """
    height, width = (side * SUBCELL_STEPS for side in cells)
    here, there = (nnf.interpolate(picture, size=(height, width), mode="area") for picture in (after, before))
    span = SEARCH_RADIUS * SUBCELL_STEPS
    there = nnf.pad(there, (span,) * 4, mode="replicate")
    steps = torch.arange(-span, span + 1, device=after.device)
    costs = []
    for down in steps.tolist():
        rows = there[:, :, span + down : span + down + height]
        beside = rows.unfold(3, width, 1).permute(0, 3, 1, 2, 4)  # [1, steps, 3, height, width]
        apart = (beside - here[:, None]).abs().mean(2)
        costs.append(block_mean(apart) + DISPLACEMENT_PENALTY * (steps**2 + down**2).sqrt()[:, None, None])
    best = torch.cat(costs, 1).argmin(1)
    return torch.stack([steps[best % len(steps)], steps[best // len(steps)]], -1) / SUBCELL_STEPS


def block_mean(steps: Tensor) -> Tensor:
    """Means over each cell and its surroundings, ``[1, n, h, w]`` of ``[1, n, 4·h, 4·w]``."""
    return nnf.avg_pool2d(
        nnf.pad(steps, (BLOCK_MARGIN,) * 4, mode="replicate"), SUBCELL_STEPS + 2 * BLOCK_MARGIN, stride=SUBCELL_STEPS
    )


@torch.no_grad()
def warp(values: Tensor, along: Tensor) -> Tensor:
    """``[1, C, h, w]`` with each cell taken from where `along`, which `estimate_motion` returned, says; bilinear."""
    height, width = values.shape[-2:]
    rows, columns = (torch.arange(side, device=values.device) for side in (height, width))
    at = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1) + along
    size = at.new_tensor((width, height))
    return nnf.grid_sample(values, (2 * at + 1) / size - 1, mode="bilinear", padding_mode="border", align_corners=False)

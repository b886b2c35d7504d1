"""
Evaluates CLIP on chunks of the cutouts to limit memory.

The loss is a mean over the views, so what it pulls at one of them depends on no other. Each part is taken forward and
backward at once, and what CLIP kept for that is free before the next part comes: its memory follows the size of a part,
not the number of cutouts. Only the gradient of each view is left for the rest of the way back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

ViewLoss = Callable[[Tensor], Tensor]
"""Views ``[k, 3, S, S]`` to their mean losses, one for each of m targets: ``[m]``."""


class _ChunkedLoss(torch.autograd.Function):
    """The sum of the mean losses of all views, whose gradient is ready when its value is; and the losses themselves."""

    @staticmethod
    def forward(ctx: Any, views: Tensor, judge: ViewLoss, chunk_size: int) -> tuple[Tensor, Tensor]:
        shares: list[Tensor] = []
        gradients: list[Tensor] = []
        for part in torch.split(views, chunk_size):
            leaf = part.detach().requires_grad_()
            with torch.enable_grad():
                losses = judge(leaf) * (len(part) / len(views))
                total = losses.sum()
            # Of a scalar: with `grad_outputs` torch imports its symbolic mathematics, seconds for each process.
            gradients.extend(torch.autograd.grad(total, leaf))
            shares.append(losses.detach())
        ctx.save_for_backward(torch.cat(gradients))
        found = torch.stack(shares).sum(0)
        ctx.mark_non_differentiable(found)
        return found.sum(), found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0], None, None


def chunked_losses(views: Tensor, judge: ViewLoss, *, chunk_size: int) -> tuple[Tensor, Tensor]:
    """
    The mean of `judge` over ``[n, 3, S, S]``, computed by `chunk_size` of them.

    First its sum over the targets, a scalar with gradients to the views, then itself, ``[m]``, without gradients.
    """
    if not (torch.is_grad_enabled() and views.requires_grad):
        parts = torch.split(views, chunk_size)
        found = torch.stack([judge(part) * (len(part) / len(views)) for part in parts]).sum(0)
        return found.sum(), found
    told: tuple[Tensor, Tensor] = _ChunkedLoss.apply(views, judge, chunk_size)  # type: ignore[no-untyped-call]
    return told

"""A clamp whose gradient still pulls values back into the range, so that saturated pixels are not lost for ever."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Clamp(torch.autograd.Function):
    """Forward clips; backward passes a gradient only where a descent step would not move further out of range."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bounds = (low, high)
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        (grad,) = grads
        outside = x - x.clamp(*ctx.bounds)
        return grad * (grad * outside >= 0), None, None


def clamp_with_gradient(x: Tensor, *, low: float = 0.0, high: float = 1.0) -> Tensor:
    """
    Any shape, clipped to [low, high].

    With g the incoming gradient, g passes where g·(x − clip(x)) ≥ 0 and is 0 elsewhere.
    """
    clamped: Tensor = _Clamp.apply(x, low, high)  # type: ignore[no-untyped-call]
    return clamped

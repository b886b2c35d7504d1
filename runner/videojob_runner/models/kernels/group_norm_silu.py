"""
Fused GroupNorm + SiLU that saves only its input for the backward pass.

Autograd's own two keep three tensors of that size. What the way back needs besides, the normed values, is one
multiplication and one addition away from the input. On CPUs the way back goes through large pictures in bands that stay
in the processor's cache; torch's own needs up to four times as long for pictures whose channels come last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

BAND_VALUES: Final = 1 << 18
"""Numbers of a band: a mebibyte."""


class _ActivatedNorm(torch.autograd.Function):
    """Both in float32, but that on CPUs a shorter type's normed values are rounded to it before they are activated."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: nn.GroupNorm, kind: torch.dtype) -> Tensor:
        ctx.norm = norm
        whole = x.dtype == kind and x.device.type == "cpu"  # no copy in float32, nor one back
        normed, mean, inverse = torch.native_group_norm(
            x if whole else x.float(), norm.weight, norm.bias, *_counts(x), norm.num_groups, norm.eps
        )
        ctx.save_for_backward(x, mean, inverse)
        return nnf.silu(normed, inplace=True).to(kind)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        x, mean, inverse = ctx.saved_tensors
        if _is_large(x):
            grad = grads[0].contiguous(memory_format=torch.channels_last)
            return _in_bands(grad, x, mean, inverse, norm=ctx.norm), None, None
        return _at_once(grads[0].float(), x.float(), mean, inverse, norm=ctx.norm).to(x.dtype), None, None


def group_norm_silu(x: Tensor, norm: nn.GroupNorm, *, kind: torch.dtype) -> Tensor:
    """``silu(norm(x))`` of ``[B, C, H, W]`` in the type `kind`."""
    result: Tensor = _ActivatedNorm.apply(x, norm, kind)  # type: ignore[no-untyped-call]
    return result


def _is_large(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.numel() > 2 * BAND_VALUES and x.is_contiguous(memory_format=torch.channels_last)


def _counts(x: Tensor) -> tuple[int, int, int]:
    """Pictures, channels, and positions of each."""
    return x.shape[0], x.shape[1], x.shape[2] * x.shape[3]


def _at_once(grad: Tensor, x: Tensor, mean: Tensor, inverse: Tensor, *, norm: nn.GroupNorm) -> Tensor:
    """The gradient at the norm's input, from the one behind the activation; all numbers at a time, by torch."""
    scale, shift = _affine(mean, inverse, norm)
    inner = torch.addcmul(shift, x, scale)
    torch.ops.aten.silu_backward.grad_input(grad, inner, grad_input=inner)
    result: Tensor = torch.ops.aten.native_group_norm_backward(
        inner, x, mean, inverse, norm.weight, *_counts(x), norm.num_groups, [True, False, False]
    )[0]
    return result


def _in_bands(grad: Tensor, x: Tensor, mean: Tensor, inverse: Tensor, *, norm: nn.GroupNorm) -> Tensor:
    """
    The same, band by band, in the type of `x`.

    With g before the activation it is a·g + b·x + c; b and c follow from sums over g.
    """
    scale, shift = _affine(mean, inverse, norm)
    before = torch.empty_like(x, dtype=torch.float32)
    plain, along = (before.new_zeros(x.shape[:2]) for _ in range(2))
    for rows in _bands(x):
        ours, theirs = before[:, :, rows], x[:, :, rows].float()
        inner = torch.addcmul(shift, theirs, scale)
        torch.ops.aten.silu_backward.grad_input(grad[:, :, rows].float(), inner, grad_input=ours)
        plain += ours.sum((2, 3))
        along += torch.mul(ours, theirs, out=inner).sum((2, 3))
    plain, along = (_group_means(total * norm.weight, x, norm) for total in (plain, along))
    slope, constant = (_of_channels(each, norm) for each in _correction(plain, along, mean, inverse))
    result = before if x.dtype == before.dtype else torch.empty_like(x)
    for rows in _bands(x):
        ours = before[:, :, rows]
        torch.addcmul(torch.addcmul(constant, x[:, :, rows].float(), slope), ours, scale, out=ours)
        if result is not before:
            result[:, :, rows] = ours
    return result


def _bands(x: Tensor) -> Iterator[slice]:
    """The rows of each band."""
    high = max(1, BAND_VALUES // (x.shape[0] * x.shape[1] * x.shape[3]))
    return (slice(top, top + high) for top in range(0, x.shape[2], high))


def _affine(mean: Tensor, inverse: Tensor, norm: nn.GroupNorm) -> tuple[Tensor, Tensor]:
    """What the norm multiplied by and added, ``[B, C, 1, 1]``, from means and inverse deviations ``[B, groups]``."""
    scale = _of_channels(inverse, norm) * norm.weight[:, None, None]
    return scale, norm.bias[:, None, None] - _of_channels(mean, norm) * scale


def _of_channels(groups: Tensor, norm: nn.GroupNorm) -> Tensor:
    """``[B, C, 1, 1]`` of ``[B, groups]``."""
    return groups.repeat_interleave(norm.num_channels // norm.num_groups, 1)[..., None, None]


def _group_means(channels: Tensor, x: Tensor, norm: nn.GroupNorm) -> Tensor:
    """Means ``[B, groups]`` over all numbers of each group, from sums ``[B, C]``."""
    return channels.view(len(x), norm.num_groups, -1).sum(2) / (x.numel() / len(x) / norm.num_groups)


def _correction(plain: Tensor, along: Tensor, mean: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor]:
    """
    What of the input, and what constant, the gradient has besides, ``[B, groups]`` each.

    `plain` and `along` are the groups' means of w·g and of w·g·x. A norm lets no gradient through that would shift all
    numbers of a group alike, nor one that would stretch them.
    """
    slope = -(inverse**3) * (along - mean * plain)
    return slope, -inverse * plain - slope * mean

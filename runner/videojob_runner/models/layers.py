"""
Layers of networks that are never trained, for which the gradient goes to the input alone.

Autograd keeps what the gradients of weights would need too. A convolution needs none of it, so here it keeps nothing;
a norm and the activation behind it keep their common input instead of three tensors of that size, and compute the
little in between again. Values and gradients are those of the modules that hold the weights, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

FOLDS: Final = (((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)), ((1.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
"""Which of three neighbours are copies of one position, for the first and the second place within a doubled one."""


def working_type(x: Tensor) -> torch.dtype:
    """What networks compute in: autocast's type where that is on, else the input's."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


class _Convolution(torch.autograd.Function):
    """Stride 1, zero padding. The gradient is a convolution too: with the kernel turned and in- and output swapped."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.padding = weight.shape[-1] - 1 - padding
        return nnf.conv2d(x, weight, bias, padding=padding)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,) = ctx.saved_tensors
        return nnf.conv2d(grads[0], _turned(weight), padding=ctx.padding), None, None, None


def _turned(weight: Tensor) -> Tensor:
    """The kernels of a convolution that leads from its output back to its input."""
    return weight.flip(2, 3).transpose(0, 1)


def convolved(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """What `layer`, of a square kernel and stride 1, makes of ``[B, C, H, W]``."""
    result: Tensor = _Convolution.apply(*_in_working_type(x, layer), layer.padding[0])  # type: ignore[no-untyped-call]
    return result


def _in_working_type(x: Tensor, layer: nn.Conv2d) -> tuple[Tensor, Tensor, Tensor | None]:
    """The input, the weight and the bias."""
    kind = working_type(x)
    return x.to(kind), layer.weight.to(kind), None if layer.bias is None else layer.bias.to(kind)


class _Enlarged(torch.autograd.Function):
    """
    Every position four times, then a convolution of 3×3, for four ninths of its work.

    Of three neighbours along an axis two are copies of one position, so each of the four places within an enlarged
    position needs a kernel of 2×2 only. The four run as one convolution, with their results as channels side by side.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        beside = nnf.conv2d(x, _folded(weight), None if bias is None else bias.repeat(4), padding=1)
        result = _empty(x, (len(x), len(weight), 2 * x.shape[2], 2 * x.shape[3]), x.dtype)
        for ours, theirs in _places(result, beside):
            ours.copy_(theirs)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (weight,), grad = ctx.saved_tensors, grads[0]
        beside = _empty(grad, (len(grad), 4 * len(weight), grad.shape[2] // 2 + 1, grad.shape[3] // 2 + 1), grad.dtype)
        for ours, theirs in _places(grad, beside.zero_()):
            theirs.copy_(ours)
        return nnf.conv2d(beside, _turned(_folded(weight))), None, None


def _folded(weight: Tensor) -> Tensor:
    """Kernels ``[4·O, C, 2, 2]`` for the four places, from ``[O, C, 3, 3]``."""
    fold = torch.tensor(FOLDS, dtype=weight.dtype, device=weight.device)
    return torch.einsum("akr,ocrs,bls->abockl", fold, weight, fold).flatten(0, 2)


def _places(enlarged: Tensor, beside: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The four places in ``[B, O, 2·H, 2·W]`` and where they are in ``[B, 4·O, H + 1, W + 1]``."""
    for (down, across), theirs in zip(product((0, 1), repeat=2), beside.chunk(4, 1), strict=True):
        rows, columns = slice(down, down + enlarged.shape[2] // 2), slice(across, across + enlarged.shape[3] // 2)
        yield enlarged[:, :, down::2, across::2], theirs[:, :, rows, columns]


def _empty(like: Tensor, shape: tuple[int, ...], kind: torch.dtype) -> Tensor:
    """A tensor of `shape` in the memory format of another of four dimensions."""
    last = like.is_contiguous(memory_format=torch.channels_last)
    form = torch.channels_last if last else torch.contiguous_format
    return torch.empty(shape, dtype=kind, device=like.device, memory_format=form)


def enlarged(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """``layer`` of ``[B, C, H, W]`` enlarged to twice its sides by repetition; a kernel of 3×3 with padding."""
    result: Tensor = _Enlarged.apply(*_in_working_type(x, layer))  # type: ignore[no-untyped-call]
    return result


class _ActivatedNorm(torch.autograd.Function):
    """Group norm and SiLU in float32."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: nn.GroupNorm, kind: torch.dtype) -> Tensor:
        ctx.norm = norm
        normed, mean, inverse = torch.native_group_norm(
            x.float(), norm.weight, norm.bias, *_counts(x), norm.num_groups, norm.eps
        )
        ctx.save_for_backward(x, mean, inverse)
        return nnf.silu(normed, inplace=True).to(kind)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x, mean, inverse), norm = ctx.saved_tensors, ctx.norm
        wide = x.float()
        grad = _normed(wide, mean, inverse, norm)
        torch.ops.aten.silu_backward.grad_input(grads[0].float(), grad, grad_input=grad)
        result, _, _ = torch.ops.aten.native_group_norm_backward(
            grad, wide, mean, inverse, norm.weight, *_counts(x), norm.num_groups, [True, False, False]
        )
        return result.to(x.dtype), None, None


def _counts(x: Tensor) -> tuple[int, int, int]:
    """Pictures, channels, and positions of each."""
    return x.shape[0], x.shape[1], x.shape[2] * x.shape[3]


def _normed(x: Tensor, mean: Tensor, inverse: Tensor, norm: nn.GroupNorm) -> Tensor:
    """What the norm made of `x`, from the means and inverse deviations ``[B, groups]`` that it found."""
    each = norm.num_channels // norm.num_groups
    scale = inverse.repeat_interleave(each, 1) * norm.weight
    shift = norm.bias - mean.repeat_interleave(each, 1) * scale
    return torch.addcmul(shift[..., None, None], x, scale[..., None, None])


def activated_norm(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    """``silu(norm(x))`` of ``[B, C, H, W]``."""
    result: Tensor = _ActivatedNorm.apply(x, norm, working_type(x))  # type: ignore[no-untyped-call]
    return result


class _Recomputed(torch.autograd.Function):
    """torch.utils.checkpoint does the same, but imports torch's compiler for it: seconds for each process."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, stage: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.stage, ctx.kind = stage, working_type(x)
        ctx.save_for_backward(x)
        return stage(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        leaf = x.detach().requires_grad_()
        shorter = ctx.kind != torch.float32
        with torch.enable_grad(), torch.autocast(x.device.type, ctx.kind if shorter else None, enabled=shorter):
            result = ctx.stage(leaf)
        return torch.autograd.grad(result, leaf, grads[0])[0], None


def recomputed(x: Tensor, stage: Callable[[Tensor], Tensor]) -> Tensor:
    """``stage(x)``, of which only `x` is kept: on the way back `stage`, which draws nothing, runs once more."""
    result: Tensor = _Recomputed.apply(x, stage)  # type: ignore[no-untyped-call]
    return result

"""
Layers of frozen networks: gradients are computed for the input only.

Autograd keeps what the gradients of weights would need too, so a convolution its input. Here it keeps nothing, and what
it computes takes the shortest way that there is. Values and gradients are those of the modules that hold the weights,
but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from videojob_runner.models.kernels import winograd
from videojob_runner.models.kernels.weight_cache import cached_by_weight

UPSAMPLE_FOLDS: Final = (((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)), ((1.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
"""Which of three neighbours are copies of one position, for the first and the second place within a doubled one."""

USE_ONEDNN_LINEAR: Final = (
    hasattr(torch.ops.mkldnn, "_linear_pointwise") and "AVX512" in torch.backends.cpu.get_cpu_capability()
)
"""Whether oneDNN's matrix product, which only torch's own compiler uses, is there and faster than the usual one."""


def compute_dtype(x: Tensor) -> torch.dtype:
    """What networks compute in: autocast's type where that is on, else the input's."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


class _Convolution(torch.autograd.Function):
    """Stride 1, zero padding."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.padding, ctx.form = padding, _form(x)
        if winograd.is_applicable(x, weight, padding=padding):
            return winograd.conv2d(x, cached_by_weight(weight, winograd.kernel_sums), bias)
        return nnf.conv2d(x, weight, bias, padding=padding)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,) = ctx.saved_tensors
        return (
            _conv_backward(grads[0].contiguous(memory_format=ctx.form), weight, padding=ctx.padding),
            None,
            None,
            None,
        )


def _conv_backward(grad: Tensor, weight: Tensor, *, padding: int) -> Tensor:
    """A gradient at a convolution's input: a convolution too, with the kernels turned and in- and output swapped."""
    border = weight.shape[-1] - 1 - padding
    if winograd.is_applicable(grad, weight.transpose(0, 1), padding=border):
        return winograd.conv2d(grad, cached_by_weight(weight, _turned_sums), None)
    if grad.device.type != "cpu":
        return nnf.conv2d(grad, _flipped_weight(weight), padding=border)
    # Small kernels of many channels take long to turn; this way an input is asked for, of which only the shape is used.
    rows, columns = (side + border - padding for side in grad.shape[2:])
    unused = torch.empty((len(grad), weight.shape[1], rows, columns), dtype=grad.dtype, memory_format=_form(grad))
    options = [1, 1], [padding, padding], [1, 1], False, [0, 0], 1, [True, False, False]
    result: Tensor = torch.ops.aten.convolution_backward(grad, unused, weight, None, *options)[0]
    return result


def _flipped_weight(weight: Tensor) -> Tensor:
    """The kernels that lead from a convolution's output back to its input."""
    return weight.flip(2, 3).transpose(0, 1)


def _turned_sums(weight: Tensor) -> list[Tensor]:
    """Of those, what Winograd's way takes."""
    return winograd.kernel_sums(_flipped_weight(weight))


def _form(x: Tensor) -> torch.memory_format:
    """Whether the channels of ``[B, C, H, W]`` come last in memory."""
    last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def conv2d(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """What `layer`, of a square kernel and stride 1, makes of ``[B, C, H, W]``."""
    result: Tensor = _Convolution.apply(*_in_working_type(x, layer), layer.padding[0])  # type: ignore[no-untyped-call]
    return result


def _in_working_type(x: Tensor, layer: nn.Conv2d) -> tuple[Tensor, Tensor, Tensor | None]:
    """The input, the weight and the bias."""
    kind = compute_dtype(x)
    return x.to(kind), layer.weight.to(kind), None if layer.bias is None else layer.bias.to(kind)


class _Linear(torch.autograd.Function):
    """
    By oneDNN, as convolutions are: in float32 a fifth faster than the library behind torch's own on an AMD CPU that has
    AVX-512; on one that has AVX2 its way back takes half as long again.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return product

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return torch.ops.mkldnn._linear_pointwise(grads[0], weight.t(), None, "none", [], ""), None, None


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``x @ weight.t() + bias`` of ``[n, width]``."""
    if x.device.type != "cpu" or compute_dtype(x) != torch.float32 or not USE_ONEDNN_LINEAR:
        return nnf.linear(x, weight, bias)
    result: Tensor = _Linear.apply(x.contiguous(), weight, bias)  # type: ignore[no-untyped-call]
    return result


class _Enlarged(torch.autograd.Function):
    """
    Every position four times, then a convolution of 3×3, for four ninths of its work.

    Of three neighbours along an axis two are copies of one position, so each of the four places within an enlarged
    position needs a kernel of 2×2 only. The four run as one convolution, with their results as channels side by side.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.form = _form(x)
        beside = nnf.conv2d(x, cached_by_weight(weight, _folded), None if bias is None else bias.repeat(4), padding=1)
        shape = len(x), len(weight), 2 * x.shape[2], 2 * x.shape[3]
        result = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=ctx.form)
        for ours, theirs in _places(result, beside):
            ours.copy_(theirs)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (weight,), grad = ctx.saved_tensors, grads[0]
        shape = len(grad), 4 * len(weight), grad.shape[2] // 2 + 1, grad.shape[3] // 2 + 1
        beside = torch.empty(shape, dtype=grad.dtype, device=grad.device, memory_format=ctx.form)
        for ours, theirs in _places(grad, beside.zero_()):
            theirs.copy_(ours)
        return _conv_backward(beside, cached_by_weight(weight, _folded), padding=1), None, None


def _folded(weight: Tensor) -> Tensor:
    """Kernels ``[4·O, C, 2, 2]`` for the four places, from ``[O, C, 3, 3]``."""
    fold = torch.tensor(UPSAMPLE_FOLDS, dtype=weight.dtype, device=weight.device)
    return torch.einsum("akr,ocrs,bls->abockl", fold, weight, fold).flatten(0, 2)


def _places(enlarged: Tensor, beside: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The four places in ``[B, O, 2·H, 2·W]`` and where they are in ``[B, 4·O, H + 1, W + 1]``."""
    for (down, across), theirs in zip(product((0, 1), repeat=2), beside.chunk(4, 1), strict=True):
        rows, columns = slice(down, down + enlarged.shape[2] // 2), slice(across, across + enlarged.shape[3] // 2)
        yield enlarged[:, :, down::2, across::2], theirs[:, :, rows, columns]


def upsample_conv2d(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """``layer`` of ``[B, C, H, W]`` enlarged to twice its sides by repetition; a kernel of 3×3 with padding."""
    result: Tensor = _Enlarged.apply(*_in_working_type(x, layer))  # type: ignore[no-untyped-call]
    return result


class _Recomputed(torch.autograd.Function):
    """torch.utils.checkpoint does the same, but imports torch's compiler for it: seconds for each process."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, stage: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.stage, ctx.kind = stage, compute_dtype(x)
        ctx.save_for_backward(x)
        return stage(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        leaf = x.detach().requires_grad_()
        shorter = ctx.kind != torch.float32
        with torch.enable_grad(), torch.autocast(x.device.type, ctx.kind if shorter else None, enabled=shorter):
            pulled = _PrecomputedGradient.apply(ctx.stage(leaf), grads[0])  # type: ignore[no-untyped-call]
        return torch.autograd.grad(pulled, leaf)[0], None


class _PrecomputedGradient(torch.autograd.Function):
    """A number whose gradient to a tensor is a given one; `grad_outputs` would make torch import its symbolic maths."""

    @staticmethod
    def forward(ctx: Any, result: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return result.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.saved_tensors[0], None


def checkpoint_activations(x: Tensor, stage: Callable[[Tensor], Tensor]) -> Tensor:
    """``stage(x)``, of which only `x` is kept: on the way back `stage`, which draws nothing, runs once more."""
    result: Tensor = _Recomputed.apply(x, stage)  # type: ignore[no-untyped-call]
    return result

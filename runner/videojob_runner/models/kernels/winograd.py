"""
Convolutions of 3×3 for half of the multiplications, on CPUs in float32.

Winograd's F(4, 3) down the rows: four neighbouring rows of the result are sums of six convolutions of 1×3, each of a
sum of input rows with a sum of kernel rows, where the direct way takes twelve. The picture goes through in bands that
stay in the processor's cache, or the sums would cost what they save. A result's rounding error is about twice that of
the direct way, some 1e-6 of its deviation. On GPUs cuDNN chooses such methods by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import torch
import torch.nn.functional as nnf
from torch import Tensor

TILE_ROWS: Final = 4
"""Rows of the result that are made together."""
BAND_VALUES: Final = 1 << 18
"""About how many numbers each of the six sums of a band has: a mebibyte."""
MIN_MULTIPLIES: Final = 1 << 27
"""Multiplications by one number of the kernel, below which the direct way is as fast."""


def is_applicable(x: Tensor, weight: Tensor, *, padding: int) -> bool:
    """Whether this is the faster way for a convolution of stride 1 of ``[B, C, H, W]``."""
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and weight.shape[2:] == (3, 3)
        and padding == 1
        and x.shape[2] % TILE_ROWS == 0
        and x.numel() * len(weight) >= MIN_MULTIPLIES
        and len(weight) >= 32
    )


def conv2d(x: Tensor, kernels: Sequence[Tensor], bias: Tensor | None, *, band: int = BAND_VALUES) -> Tensor:
    """
    The convolution of ``[B, C, H, W]`` by a kernel whose `kernel_sums` are given, stride 1, a border of one zero.

    H is a multiple of 4.
    """
    shape = (x.shape[0], kernels[0].shape[0], *x.shape[2:])
    result = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    high = max(1, round(band / (x.shape[0] * x.shape[1] * x.shape[3]))) * TILE_ROWS
    for top in range(0, x.shape[2], high):
        bottom = min(top + high, x.shape[2])
        # A bias in the second product comes into each row of the result once.
        biases = (None, bias, None, None, None, None)
        products = [
            nnf.conv2d(rows, kernel, own, padding=(0, 1))
            for rows, kernel, own in zip(row_sums(x, top, bottom), kernels, biases, strict=True)
        ]
        combine(products, result[:, :, top:bottom])
    return result


def kernel_sums(weight: Tensor) -> list[Tensor]:
    """Six kernels ``[O, C, 1, 3]`` for one ``[O, C, 3, 3]``."""
    upper, middle, lower = weight[:, :, 0:1], weight[:, :, 1:2], weight[:, :, 2:3]
    near, far, middle = (upper + lower) / -6, upper / 24 + lower / 6, middle / 6
    sums = [upper / 4, near - middle, near + middle, far + middle / 2, far - middle / 2, lower]
    return [kernel.contiguous(memory_format=torch.channels_last) for kernel in sums]


def row_sums(x: Tensor, top: int, bottom: int) -> Iterator[Tensor]:
    """Six sums ``[B, C, rows / 4, W]`` of the rows from `top` to `bottom` and of one on either side, in their order."""
    first, second, third, fourth = (x[:, :, top + row : bottom : TILE_ROWS] for row in range(TILE_ROWS))
    yield add_row_above(torch.add(fourth, second, alpha=-5), x, top, factor=4)
    even, odd = torch.add(fourth, second, alpha=-4), torch.add(third, first, alpha=-4)
    yield even + odd
    yield even.sub_(odd)
    even, odd = fourth - second, third - first
    yield torch.add(even, odd, alpha=2)
    yield even.sub_(odd, alpha=2)
    yield add_row_below(torch.mul(first, 4).sub_(third, alpha=5), x, bottom)


def add_row_above(total: Tensor, x: Tensor, top: int, *, factor: int) -> Tensor:
    """Adds to each row of `total` a multiple of the row above its tile; above the first there are zeros."""
    outside = int(top == 0)
    end = top + TILE_ROWS * total.shape[2] - 1
    total[:, :, outside:].add_(x[:, :, top - 1 + TILE_ROWS * outside : end : TILE_ROWS], alpha=factor)
    return total


def add_row_below(total: Tensor, x: Tensor, bottom: int) -> Tensor:
    """Adds to each row of `total` the row below its tile; below the last there are zeros."""
    inside = total.shape[2] - int(bottom == x.shape[2])
    top = bottom - TILE_ROWS * total.shape[2]
    total[:, :, :inside].add_(x[:, :, top + TILE_ROWS : top + TILE_ROWS * inside + 1 : TILE_ROWS])
    return total


def combine(products: Sequence[Tensor], result: Tensor) -> None:
    """Writes the rows ``[B, O, rows, W]`` of a band from its six products ``[B, O, rows / 4, W]``, which it uses up."""
    upper, one, two, three, four, lower = products
    rows = [result[:, :, row::TILE_ROWS] for row in range(TILE_ROWS)]
    near, across = one + two, one.sub_(two)
    far, beyond = three + four, three.sub_(four)
    torch.add(upper.add_(near), far, out=rows[0])
    torch.add(across, beyond, alpha=2, out=rows[1])
    torch.add(near, far, alpha=4, out=rows[2])
    torch.add(lower.add_(across), beyond, alpha=8, out=rows[3])

"""Frame size with the aspect ratio of a source image within a pixel budget (specification vqgan-clip §2.16)."""

from __future__ import annotations

import math

from videojob_runner.torch_utils.images import Size


def fit_aspect(source: Size, *, budget: Size, factor: int) -> Size | None:
    """
    Multiples of `factor` whose proportions are closest to the source's, of about and at most the budget's pixels.

    The ideal sides are rounded both ways; of what stays within the budget the closest wins, then the largest. None
    when even the smallest multiples exceed it.
    """
    (across, down), pixels = source, math.prod(budget)
    # The integer root of the whole part is the whole part of the root, without a float's error at exact multiples.
    columns, rows = (
        math.isqrt(pixels * side // (other * factor**2)) for side, other in ((across, down), (down, across))
    )
    candidates = [
        (x * factor, y * factor)
        for x in (columns, columns + 1)
        for y in (rows, rows + 1)
        if x and y and x * y * factor**2 <= pixels
    ]
    return min(candidates, key=lambda size: (aspect_error(size, source), -math.prod(size)), default=None)


def aspect_error(size: Size, source: Size) -> float:
    """How far the proportions of both are apart, as the logarithm of their ratio."""
    return abs(math.log(size[0] * source[1] / (size[1] * source[0])))


def fit_aspect_upstream(source: Size, *, budget: Size) -> Size:
    """The original's sides, truncated twice and not yet rounded to a factor; its own result comes out smaller again."""
    proportion = source[0] / source[1]
    height = math.floor(math.sqrt(math.prod(budget) / proportion))
    return math.floor(proportion * height), height

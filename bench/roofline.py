"""How fast an iteration could be at best: its operations, by the rate at which the device multiplies large matrices."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.measure import Meter

MATMUL_SIDE: Final = {"cpu": 2048, "cuda": 8192}
"""Of the matrices; large enough that more would not be faster."""
ROUNDS: Final = 5


def count_flops(work: Callable[[], object]) -> int:
    """Floating-point operations of the matrix products and convolutions in `work`; a multiply-add is two."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def matmul_rate(meters: Meter, dtype: torch.dtype) -> float:
    """Operations per second of a product of square matrices, the median of some rounds."""
    side = MATMUL_SIDE["cuda" if meters.on_cuda else "cpu"]
    matrix = torch.rand(side, side, device=meters.device, dtype=dtype)
    seconds = [meters.timed(lambda: matrix @ matrix)[1].wall for _ in range(ROUNDS + 1)]
    return float(2 * side**3 / median(seconds[1:]))

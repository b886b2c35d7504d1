"""Learning rates as factors of the peak rate, for `torch.optim.lr_scheduler.LambdaLR`; steps count from 0."""

from __future__ import annotations

import math
from collections.abc import Callable

LearningRateFactor = Callable[[int], float]
"""The factor at a step."""


def constant(*, warmup: int = 0) -> LearningRateFactor:
    """1, after `warmup` steps that rise linearly from 1 / `warmup`."""
    return lambda step: _warmup_factor(step, warmup)


def linear_decay(steps: int, *, start: int = 0, floor: float = 0.0) -> LearningRateFactor:
    """1 until step `start`, then linearly down to `floor` at step `steps`."""

    def factor(step: int) -> float:
        return 1 - (1 - floor) * _fraction(step, start, steps)

    return factor


def cosine_decay(steps: int, *, warmup: int = 0, floor: float = 0.0) -> LearningRateFactor:
    """Linear warm-up, then half a cosine down to `floor` at step `steps`. Source: arXiv 1608.03983 without restarts."""

    def factor(step: int) -> float:
        if step < warmup:
            return _warmup_factor(step, warmup)
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * _fraction(step, warmup, steps)))

    return factor


def polynomial_decay(steps: int, *, power: float, warmup: int = 0, floor: float = 0.0) -> LearningRateFactor:
    """Linear warm-up, then (1 − progress)^`power` down to `floor` at step `steps`; power ½ is square-root decay."""

    def factor(step: int) -> float:
        if step < warmup:
            return _warmup_factor(step, warmup)
        return floor + (1 - floor) * float((1 - _fraction(step, warmup, steps)) ** power)

    return factor


def _warmup_factor(step: int, warmup: int) -> float:
    return min((step + 1) / warmup, 1.0) if warmup else 1.0


def _fraction(step: int, start: int, end: int) -> float:
    """How much of start…end is over, 0…1."""
    return min(max((step - start) / max(end - start, 1), 0.0), 1.0)

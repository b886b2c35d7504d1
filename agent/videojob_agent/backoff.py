"""Exponential backoff with full jitter, so that many pods do not retry at the same moment."""

from __future__ import annotations

import random
from collections.abc import Callable

BASE_DELAY, MAX_DELAY = 1.0, 60.0
"""Seconds."""


class Backoff:
    """Delays after failures in a row. `draw` returns random numbers in [0, 1)."""

    def __init__(self, *, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._failures = 0

    def next_delay(self) -> float:
        """Count one more failure and return the delay after it, in seconds: random, at most 1, 2, 4 … 60."""
        longest = min(MAX_DELAY, BASE_DELAY * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return longest * self._draw()

    def reset(self) -> None:
        """Start again at the shortest delay, after a success."""
        self._failures = 0

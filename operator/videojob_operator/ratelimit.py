"""
Rate limits of the report endpoint (VJ-5): token buckets per VideoJob, per source address, and for TokenReviews.

A bucket holds at most `burst` tokens and gains `per_second`; a request takes one or must wait. Buckets
of inactive senders are full and therefore dropped, so memory is bounded by the active ones.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` on average, `burst` at once."""

    per_second: float
    burst: int


JOB_RATE = Rate(per_second=0.5, burst=3)
SOURCE_RATE = Rate(per_second=20, burst=40)
TOKEN_REVIEW_RATE = Rate(per_second=20, burst=50)


class TokenBucket:
    """One token bucket; initially full."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: Rate, *, now: float) -> None:
        self._rate, self._tokens, self._at = rate, float(rate.burst), now

    def take(self, *, now: float) -> float:
        """Take a token and return 0, or return the seconds until one is available."""
        self._tokens = self.level(now=now)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate.per_second

    def level(self, *, now: float) -> float:
        """Number of tokens at `now`."""
        return min(float(self._rate.burst), self._tokens + (now - self._at) * self._rate.per_second)

    def full(self, *, now: float) -> bool:
        """True if the bucket is full, so that dropping it changes nothing."""
        return self.level(now=now) >= self._rate.burst


class RateLimiter:
    """One bucket per key, at most `max_keys`; the least recently used is dropped first."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic, max_keys: int = 20_000) -> None:
        self._rate, self._clock, self._most = rate, clock, max_keys
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: Hashable = None) -> float:
        """0 if the request may proceed, otherwise the seconds to wait."""
        now = self._clock()
        bucket = self._buckets.setdefault(key, TokenBucket(self._rate, now=now))
        self._buckets.move_to_end(key)
        self._forget(now)
        return bucket.take(now=now)

    def _forget(self, now: float) -> None:
        while len(self._buckets) > 1:
            oldest = next(iter(self._buckets))
            if len(self._buckets) <= self._most and not self._buckets[oldest].full(now=now):
                return
            del self._buckets[oldest]

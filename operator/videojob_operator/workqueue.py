"""
Keyed work queue with deduplication, backoff and timers.

A key means "reconcile this object again" and not an event, so ten events between two reconciles cause one reconcile. A
key is never processed twice at the same time: if it is added while a worker has it, it becomes ready again when the
worker is done. A failing key is delayed longer each time, up to five minutes, with jitter so that a thousand keys do
not return at once; a requeued key has one timer, the newest. Changes take precedence over the periodic resync. All
times come from the injected clock.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from videojob_operator.metrics import Metrics


class ObjectKey(NamedTuple):
    """Namespace and name of a VideoJob."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExponentialBackoff:
    """Delay in seconds after the n-th failure in a row: `base_delay`, doubled each time, at most `max_delay`."""

    base_delay: float = 1.0
    max_delay: float = 300.0

    def delay(self, failures: int, *, jitter: float) -> float:
        """The delay; `jitter` in [0, 1] subtracts up to half; `failures` counts from 1."""
        full = min(self.max_delay, self.base_delay * 2.0 ** min(failures - 1, 30))
        return full * (1 - jitter / 2)


class WorkQueue:
    """Deduplicated keys with backoff and timers; `try_get` never blocks, `get` waits."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        backoff: ExponentialBackoff = ExponentialBackoff(),
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._metrics, self._backoff, self._clock, self._jitter = metrics, backoff, clock, jitter
        self._ready: dict[ObjectKey, float] = {}
        self._resync: dict[ObjectKey, float] = {}
        self._processing: dict[ObjectKey, float] = {}
        self._dirty: set[ObjectKey] = set()
        self._timers: dict[ObjectKey, float] = {}
        self._due: list[tuple[float, ObjectKey]] = []
        self._failures: dict[ObjectKey, int] = {}
        self._wakeup = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready) + len(self._resync)

    def add(self, key: ObjectKey) -> None:
        """Enqueue a changed key."""
        if key in self._processing:
            self._dirty.add(key)
        elif key not in self._ready:
            self._ready[key] = self._resync.pop(key, self._clock())
        self._wakeup.set()

    def add_after(self, key: ObjectKey, delay: float) -> None:
        """Enqueue a key after `delay` seconds at the latest; 0 is `add`."""
        at = self._clock() + delay
        if delay <= 0:
            self.add(key)
        elif self._timers.get(key, at + 1) > at:
            self._set_timer(key, at)

    def resync(self, key: ObjectKey) -> None:
        """Enqueue an unchanged key with low priority."""
        if key not in self._processing and key not in self._ready:
            self._resync.setdefault(key, self._clock())
            self._wakeup.set()

    def try_get(self) -> ObjectKey | None:
        """The key that has waited longest, changes first; None if none is due."""
        now = self._clock()
        self._wake_timers(now)
        for lane in (self._ready, self._resync):
            for key, since in lane.items():
                del lane[key]
                self._processing[key] = now
                self._metrics.queue_latency.observe(now - since)
                return key
        return None

    async def get(self) -> ObjectKey:
        """Wait for a key."""
        while (key := self.try_get()) is None:
            self._wakeup.clear()
            await self._sleep()
        return key

    def done(self, key: ObjectKey, *, requeue_after: float | None = None) -> None:
        """Finish a key; `requeue_after` in seconds replaces its timer, None clears it."""
        self._failures.pop(key, None)
        self._put_back(key, delay=requeue_after)

    def retry(self, key: ObjectKey) -> float:
        """Requeue a failed key; return the delay in seconds, which a change shortens."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = self._backoff.delay(self._failures[key], jitter=self._jitter())
        self._metrics.queue_retries.inc()
        self._put_back(key, delay=delay)
        return delay

    def oldest_age(self) -> float:
        """Seconds since the oldest ready or running key was added; 0 if there is none. Resyncs do not count."""
        since = [*self._ready.values(), *self._processing.values()]
        return max(0.0, self._clock() - min(since)) if since else 0.0

    def longest_running(self) -> float:
        """Seconds that a worker has been busy with one key; 0 if none is."""
        return max(0.0, self._clock() - min(self._processing.values())) if self._processing else 0.0

    def _put_back(self, key: ObjectKey, *, delay: float | None) -> None:
        del self._processing[key]
        self._timers.pop(key, None)
        if delay is not None:
            self._set_timer(key, self._clock() + delay)
        if key in self._dirty:
            self._dirty.discard(key)
            self.add(key)

    def _set_timer(self, key: ObjectKey, at: float) -> None:
        self._timers[key] = at
        heapq.heappush(self._due, (at, key))
        self._wakeup.set()

    def _next_timer(self) -> float | None:
        """When the next timer expires; entries of replaced timers are dropped."""
        while self._due and self._timers.get(self._due[0][1]) != self._due[0][0]:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _wake_timers(self, now: float) -> None:
        while (at := self._next_timer()) is not None and at <= now:
            _, key = heapq.heappop(self._due)
            del self._timers[key]
            self.add(key)

    async def _sleep(self) -> None:
        at = self._next_timer()
        try:
            await asyncio.wait_for(self._wakeup.wait(), None if at is None else max(0.0, at - self._clock()))
        except TimeoutError:
            return

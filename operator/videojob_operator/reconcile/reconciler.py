"""
The loop: take a key, look at what the caches know, decide, carry it out.

It is level-triggered: nothing remembers which event brought the key, so a lost or repeated event does no harm. One
VideoJob is never looked at twice at the same time; sixteen different ones may be. This is the only place where every
error ends: a key that fails for a reason nobody foresaw waits and is tried again, and the others go on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from videojob_api.resource.status import VideoJobStatus

from videojob_operator.cache.observer import Picture
from videojob_operator.domain.decide import decide
from videojob_operator.domain.decision import Decision
from videojob_operator.domain.observation.observed import VideoJobSeen
from videojob_operator.domain.settings import Settings
from videojob_operator.kube.errors import ClusterError, Conflict, NotFound, SchemaRejected
from videojob_operator.metrics import Metrics
from videojob_operator.reconcile.executor import Hand
from videojob_operator.reconcile.transitions import Stages
from videojob_operator.workqueue import Key, WorkQueue

log = logging.getLogger(__name__)

WORKERS = 16
CONFLICT_PAUSE = 0.1
"""Seconds until a conflicting key is looked at again; its newest state has been read by then."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Sixteen workers on one queue."""

    queue: WorkQueue
    picture: Picture
    hand: Hand
    settings: Callable[[], Settings]
    stages: Stages
    metrics: Metrics
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def run(self) -> None:
        """Works without end."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            began, result = time.monotonic(), "failed"
            try:
                self.queue.done(key, look_again=await self.look(key))
                result = "done"
            except ClusterError as error:
                log.warning("%s: again in %.0f s: %s", key, self.queue.failed(key), error)
            except Exception:
                result = "panicked"
                self.metrics.panics.inc()
                log.exception("%s: unexpected error, again in %.0f s", key, self.queue.failed(key))
            self.metrics.reconciles.labels(result).observe(time.monotonic() - began)

    async def look(self, key: Key) -> float | None:
        """Brings one VideoJob forward; seconds until the next look, None when only a change matters."""
        videojob = self.picture.videojobs.get(key)
        if videojob is None:
            self.stages.gone(key)
            return None
        self.stages.seen(key, videojob)
        observed = await self.picture.observe(videojob)
        decision = decide(observed, now=self.now(), settings=self.settings())
        try:
            await self.hand.carry_out(videojob, decision)
        except Conflict:
            await self.picture.videojobs.refresh(key)
            return CONFLICT_PAUSE
        except NotFound:
            # The VideoJob, or a Job that was there a moment ago: the next look tells, and ends where nothing is left.
            await self.picture.videojobs.refresh(key)
            return CONFLICT_PAUSE
        except SchemaRejected as error:
            log.error("%s: the API server refuses the status; nothing is tried before a change: %s", key, error)
            return None
        self.stages.decided(observed, decision.status)
        return self._next(videojob, decision)

    def _next(self, videojob: VideoJobSeen, decision: Decision) -> float | None:
        if is_over(decision.status):
            self.picture.forget(videojob.uid)
        wishes = [self.picture.slots.due(videojob.uid)]
        if decision.look_again is not None:
            wishes.append(decision.look_again.total_seconds())
        return min((wish for wish in wishes if wish is not None), default=None)


def is_over(status: VideoJobStatus) -> bool:
    """Whether there is a verdict."""
    return any(condition.type == "Succeeded" and condition.status != "Unknown" for condition in status.conditions)

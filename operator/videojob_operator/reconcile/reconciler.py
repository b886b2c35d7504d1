"""
Reconcile loop: take a key, observe the VideoJob through the caches, decide, execute the decision.

The loop is level-triggered: it does not know which event added the key, so lost or repeated events do no harm. A key is
never reconciled by two workers at once; sixteen keys may be. This is the outermost error handler: an unexpected error
requeues the key with backoff and does not affect other keys.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from videojob_operator.cache.observer import Observer
from videojob_operator.domain.conditions import is_finished
from videojob_operator.domain.decide import decide
from videojob_operator.domain.decision import Decision
from videojob_operator.domain.observation.observed import ObservedVideoJob
from videojob_operator.domain.settings import ReconcileSettings
from videojob_operator.kube.errors import ApiError, Conflict, Invalid, NotFound
from videojob_operator.metrics import Metrics
from videojob_operator.reconcile.executor import DecisionExecutor
from videojob_operator.reconcile.transitions import TransitionMetrics
from videojob_operator.workqueue import ObjectKey, WorkQueue

log = logging.getLogger(__name__)

MAX_CONCURRENT_RECONCILES = 16
CONFLICT_REQUEUE_SECONDS = 0.1
"""Delay before a conflicting key is reconciled again, with its newest state."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Sixteen workers on one queue."""

    queue: WorkQueue
    observer: Observer
    executor: DecisionExecutor
    settings: Callable[[], ReconcileSettings]
    transitions: TransitionMetrics
    metrics: Metrics
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def run(self) -> None:
        """Reconcile without end."""
        async with asyncio.TaskGroup() as group:
            for _ in range(MAX_CONCURRENT_RECONCILES):
                group.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            key = await self.queue.get()
            began, result = time.monotonic(), "failed"
            try:
                self.queue.done(key, requeue_after=await self.reconcile(key))
                result = "done"
            except ApiError as error:
                log.warning("%s: retrying in %.0f s: %s", key, self.queue.retry(key), error)
            except Exception:
                result = "panicked"
                self.metrics.panics.inc()
                log.exception("%s: unexpected error, retrying in %.0f s", key, self.queue.retry(key))
            self.metrics.reconciles.labels(result).observe(time.monotonic() - began)

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Reconcile one VideoJob; return the seconds until the next time, None to wait for a change."""
        videojob = self.observer.videojobs.get(key)
        if videojob is None:
            self.transitions.untrack(key)
            return None
        self.transitions.track(key, videojob)
        observed = await self.observer.observe(videojob)
        decision = decide(observed, now=self.now(), settings=self.settings())
        try:
            await self.executor.execute(videojob, decision)
        except Conflict:
            await self.observer.videojobs.reload(key)
            return CONFLICT_REQUEUE_SECONDS
        except NotFound:
            # The VideoJob, or its Job, was deleted meanwhile: the next reconcile finds out.
            await self.observer.videojobs.reload(key)
            return CONFLICT_REQUEUE_SECONDS
        except Invalid as error:
            log.error("%s: the API server rejected the status; not retried until the VideoJob changes: %s", key, error)
            return None
        self.transitions.observe(observed, decision.status)
        return self._requeue_after(videojob, decision)

    def _requeue_after(self, videojob: ObservedVideoJob, decision: Decision) -> float | None:
        if is_finished(decision.status):
            self.observer.evict(videojob.uid)
        due = [self.observer.reports.next_flush(videojob.uid)]
        if decision.requeue_after is not None:
            due.append(decision.requeue_after.total_seconds())
        return min((each for each in due if each is not None), default=None)

"""
Writes Kubernetes events, rate-limited.

The same event about the same VideoJob is recorded once, one VideoJob gets at most twelve, and all together five per
second; events over the budget are dropped and counted, never delayed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from videojob_operator.domain.decision import RecordEvent
from videojob_operator.domain.observation.observed import ObservedVideoJob
from videojob_operator.kube.api import KubeApi
from videojob_operator.kube.errors import ApiError
from videojob_operator.kube.kinds import EVENTS, VIDEOJOBS
from videojob_operator.metrics import Metrics
from videojob_operator.ratelimit import Rate, TokenBucket

log = logging.getLogger(__name__)

REPORTING_CONTROLLER = "videojobs.dev/controller"
MAX_EVENTS_PER_JOB = 12
EVENT_RATE = Rate(per_second=5, burst=25)
MAX_REMEMBERED_JOBS = 20_000
"""Number of VideoJobs whose events are remembered; the least recently used is dropped first."""


@dataclass(slots=True)
class RecordedEvents:
    """Events recorded for one VideoJob."""

    messages: set[tuple[str, str]] = field(default_factory=set)


class EventRecorder:
    """Writes events in the background; `record` never blocks and never fails."""

    def __init__(
        self, client: KubeApi, metrics: Metrics, *, instance: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._metrics, self._instance, self._clock = client, metrics, instance, clock
        self._recorded: OrderedDict[str, RecordedEvents] = OrderedDict()
        self._bucket = TokenBucket(EVENT_RATE, now=clock())
        self._pending: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=100)

    def record(self, videojob: ObservedVideoJob, event: RecordEvent) -> None:
        """Record an event unless it was recorded before or exceeds the budget."""
        recorded = self._recorded.setdefault(videojob.uid, RecordedEvents())
        self._recorded.move_to_end(videojob.uid)
        while len(self._recorded) > MAX_REMEMBERED_JOBS:
            self._recorded.popitem(last=False)
        if (event.reason, event.note) in recorded.messages:
            return self._count("repeated")
        if (
            len(recorded.messages) >= MAX_EVENTS_PER_JOB
            or self._pending.full()
            or self._bucket.take(now=self._clock()) > 0
        ):
            return self._count("dropped")
        recorded.messages.add((event.reason, event.note))
        return self._pending.put_nowait(event_manifest(videojob, event, instance=self._instance))

    async def flush(self) -> None:
        """Wait until all recorded events are written or dropped."""
        await self._pending.join()

    async def run(self) -> None:
        """Write recorded events, without end."""
        while True:
            body = await self._pending.get()
            try:
                await self._client.create(EVENTS, body, namespace=body["metadata"]["namespace"])
                self._count("written")
            except ApiError as error:
                self._count("failed")
                log.warning("event %s not written: %s", body["reason"], error)
            finally:
                self._pending.task_done()

    def _count(self, result: str) -> None:
        self._metrics.events.labels(result).inc()


def event_manifest(videojob: ObservedVideoJob, event: RecordEvent, *, instance: str) -> dict[str, Any]:
    """An events.k8s.io/v1 Event about a VideoJob."""
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.name,
        "metadata": {"generateName": f"{videojob.name}-", "namespace": videojob.namespace},
        "eventTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": REPORTING_CONTROLLER,
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "type": event.type,
        "reason": event.reason[:128],
        "note": event.note[:1024],
        "regarding": {
            "apiVersion": VIDEOJOBS.api_version,
            "kind": VIDEOJOBS.name,
            "namespace": videojob.namespace,
            "name": videojob.name,
            "uid": videojob.uid,
            "resourceVersion": videojob.resource_version,
        },
    }

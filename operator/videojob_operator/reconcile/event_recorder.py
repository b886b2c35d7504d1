"""
Events: what people read in `kubectl describe`, written sparingly.

An event tells once. The same words about the same object are not repeated, one VideoJob gets at most twelve, and all
together five a second; what is over the budget is dropped and counted, never waited for.
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
from videojob_operator.domain.observation.observed import VideoJobSeen
from videojob_operator.kube.api import Api
from videojob_operator.kube.errors import ClusterError
from videojob_operator.kube.kinds import EVENTS, VIDEOJOBS
from videojob_operator.metrics import Metrics
from videojob_operator.ratelimit import Bucket, Rate

log = logging.getLogger(__name__)

CONTROLLER = "videojobs.dev/controller"
PER_JOB = 12
BUDGET = Rate(per_second=5, burst=25)
REMEMBERED = 20_000
"""Jobs whose events are remembered; the one told about longest ago is forgotten first."""


@dataclass(slots=True)
class Told:
    """What one VideoJob's events have said so far."""

    notes: set[tuple[str, str]] = field(default_factory=set)


class Events:
    """Writes events in the background; `record` never waits and never fails."""

    def __init__(
        self, client: Api, metrics: Metrics, *, instance: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._metrics, self._instance, self._clock = client, metrics, instance, clock
        self._told: OrderedDict[str, Told] = OrderedDict()
        self._bucket = Bucket(BUDGET, now=clock())
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=100)

    def record(self, about: VideoJobSeen, event: RecordEvent) -> None:
        """Tells something about a VideoJob, unless it has been told or is too much."""
        told = self._told.setdefault(about.uid, Told())
        self._told.move_to_end(about.uid)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        if (event.reason, event.note) in told.notes:
            return self._count("repeated")
        if len(told.notes) >= PER_JOB or self._waiting.full() or self._bucket.take(now=self._clock()) > 0:
            return self._count("dropped")
        told.notes.add((event.reason, event.note))
        return self._waiting.put_nowait(manifest(about, event, instance=self._instance))

    async def flush(self) -> None:
        """Until everything recorded so far is written or given up."""
        await self._waiting.join()

    async def run(self) -> None:
        """Writes what was recorded, without end."""
        while True:
            body = await self._waiting.get()
            try:
                await self._client.create(EVENTS, body, namespace=body["metadata"]["namespace"])
                self._count("written")
            except ClusterError as error:
                self._count("failed")
                log.warning("event %s not written: %s", body["reason"], error)
            finally:
                self._waiting.task_done()

    def _count(self, result: str) -> None:
        self._metrics.events.labels(result).inc()


def manifest(about: VideoJobSeen, event: RecordEvent, *, instance: str) -> dict[str, Any]:
    """An events.k8s.io/v1 Event about a VideoJob."""
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.name,
        "metadata": {"generateName": f"{about.name}-", "namespace": about.namespace},
        "eventTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "type": event.type,
        "reason": event.reason[:128],
        "note": event.note[:1024],
        "regarding": {
            "apiVersion": VIDEOJOBS.api_version,
            "kind": VIDEOJOBS.name,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
            "resourceVersion": about.resource_version,
        },
    }

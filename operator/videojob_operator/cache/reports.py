"""
Buffers the newest report of each job and limits how often reports reach the reconcile loop.

A report is accepted immediately, but becomes visible (and is thus written to the status) at once only if it is urgent:
the first one, a new state, the last one. Otherwise it waits for the flush interval that keeps the cluster-wide write
budget; a later report replaces it meanwhile. The slot of a VideoJob that was deleted or has finished is evicted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from videojob_api.messages.report import ProgressState, Report

from videojob_operator.domain.observation import progress
from videojob_operator.domain.observation.observed import ObservedPod, ObservedReport

TERMINAL_STATES = (ProgressState.DONE, ProgressState.FAILED)


@dataclass(slots=True)
class BufferedReport:
    """`latest` was received last; `visible` is what the loop sees, since `visible_since`."""

    latest: ObservedReport
    visible: ObservedReport
    visible_since: float


class ReportBuffer:
    """One slot per VideoJob, by uid."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._clock, self._now = clock, now
        self._slots: dict[str, BufferedReport] = {}
        self._running: set[str] = set()

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, uid: str, report: Report, pod: ObservedPod) -> float | None:
        """Buffer a report; return the seconds until it becomes visible, or None if a newer one is buffered."""
        slot = self._slots.get(uid)
        held = slot.latest if slot else None
        newest = progress.accept_report(held, report, pod_uid=pod.uid, pod_created=pod.created, now=self._now())
        if newest is None:
            return None
        (self._running.discard if report.state in TERMINAL_STATES else self._running.add)(uid)
        if slot is None or progress.is_urgent(slot.latest, newest):
            self._slots[uid] = BufferedReport(newest, newest, self._clock())
            return 0.0
        slot.latest = newest
        return self.next_flush(uid)

    def get(self, uid: str) -> ObservedReport | None:
        """The report that is visible to the loop now."""
        slot = self._slots.get(uid)
        if slot is None:
            return None
        if slot.latest is not slot.visible and not self._wait(slot):
            slot.visible, slot.visible_since = slot.latest, self._clock()
        return slot.visible

    def next_flush(self, uid: str) -> float | None:
        """Seconds until a newer report becomes visible; None if there is none."""
        slot = self._slots.get(uid)
        return None if slot is None or slot.latest is slot.visible else self._wait(slot)

    def evict(self, uid: str) -> None:
        """Drop the slot of a VideoJob that was deleted or has finished."""
        self._slots.pop(uid, None)
        self._running.discard(uid)

    def reporting_jobs(self) -> int:
        """Number of jobs that report and have not sent a final report."""
        return len(self._running)

    def _wait(self, slot: BufferedReport) -> float:
        interval = progress.flush_interval(running=self.reporting_jobs()).total_seconds()
        return max(0.0, slot.visible_since + interval - self._clock())

"""
The newest report of each job, and which of them the loop may see.

A report is taken the moment it comes, but shown (and so written into status) at once only when it is urgent: the first
one, a new state, the last. Otherwise it waits until the job's last showing is as long ago as the cluster-wide write
budget asks for; what comes meanwhile replaces it. The slot of a VideoJob that is gone or over is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from videojob_api.messages.report import ProgressState, Report

from videojob_operator.domain.observation import progress
from videojob_operator.domain.observation.observed import PodSeen, ReportSeen

ENDED = (ProgressState.DONE, ProgressState.FAILED)


@dataclass(slots=True)
class Slot:
    """`newest` is what came, `shown` what the loop sees since `shown_at`."""

    newest: ReportSeen
    shown: ReportSeen
    shown_at: float


class Slots:
    """One slot for each VideoJob, by uid."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._clock, self._now = clock, now
        self._slots: dict[str, Slot] = {}
        self._running: set[str] = set()

    def __len__(self) -> int:
        return len(self._slots)

    def take(self, uid: str, report: Report, pod: PodSeen) -> float | None:
        """Seconds until the report may be shown, 0 for now; None when something newer is here already."""
        slot = self._slots.get(uid)
        held = slot.newest if slot else None
        newest = progress.take(held, report, pod_uid=pod.uid, pod_created=pod.created, now=self._now())
        if newest is None:
            return None
        (self._running.discard if report.state in ENDED else self._running.add)(uid)
        if slot is None or progress.urgent(slot.newest, newest):
            self._slots[uid] = Slot(newest, newest, self._clock())
            return 0.0
        slot.newest = newest
        return self.due(uid)

    def show(self, uid: str) -> ReportSeen | None:
        """What the loop may see now."""
        slot = self._slots.get(uid)
        if slot is None:
            return None
        if slot.newest is not slot.shown and not self._wait(slot):
            slot.shown, slot.shown_at = slot.newest, self._clock()
        return slot.shown

    def due(self, uid: str) -> float | None:
        """Seconds until there is something new to show; None when there is not."""
        slot = self._slots.get(uid)
        return None if slot is None or slot.newest is slot.shown else self._wait(slot)

    def forget(self, uid: str) -> None:
        """The VideoJob is gone or over."""
        self._slots.pop(uid, None)
        self._running.discard(uid)

    def running(self) -> int:
        """Jobs that report and have not said their last word."""
        return len(self._running)

    def _wait(self, slot: Slot) -> float:
        interval = progress.flush_interval(running=self.running()).total_seconds()
        return max(0.0, slot.shown_at + interval - self._clock())

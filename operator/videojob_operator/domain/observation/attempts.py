"""
Attempts: the pods that a job has had, how each finished, and how many were disrupted.

Pods of a Job are created by the Job controller, which counts failures itself (`backoffLimit`); disruptions are not
limited by it and are therefore counted here. The status is the memory: pods that no longer exist were recorded there,
and an attempt that has finished is never evaluated again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from videojob_api.resource.status import AttemptStatus, VideoJobStatus

from videojob_operator.domain.observation.observed import ObservedPod
from videojob_operator.domain.observation.outcomes import FaultClass, PodOutcome
from videojob_operator.domain.text import sanitize

ATTEMPTS_KEPT = 3
"""Attempts kept in the status."""


@dataclass(frozen=True, slots=True)
class AttemptHistory:
    """All attempts so far. `new_outcomes` are those that the status did not contain yet, oldest first."""

    attempts: tuple[AttemptStatus, ...]
    count: int
    disruptions: int
    new_outcomes: tuple[PodOutcome, ...] = ()

    @property
    def last_finished_at(self) -> datetime | None:
        """When the last attempt finished."""
        return max((item.finished for item in self.attempts if item.finished), default=None)


def update_attempts(
    status: VideoJobStatus, outcomes: Sequence[tuple[ObservedPod, PodOutcome | None]], *, suspended: bool, now: datetime
) -> AttemptHistory:
    """Update the attempts of the status from the pods (oldest first) and their outcomes."""
    now = now.replace(microsecond=0)
    known = {item.pod: item for item in status.attempts}
    fresh = _new_pods([pod for pod, _ in outcomes], status)
    numbers = {pod.name: status.attempt + place for place, pod in enumerate(fresh, start=1)}
    current = {pod.name: (pod, end) for pod, end in outcomes}
    attempts = [_refreshed(item, current.get(item.pod), suspended=suspended, now=now) for item in status.attempts]
    attempts += [_attempt(numbers[pod.name], *current[pod.name], now=now) for pod in fresh]
    ended_now = [
        end
        for pod, end in outcomes
        if end and (pod in fresh or (pod.name in known and known[pod.name].finished is None))
    ]
    return AttemptHistory(
        attempts=tuple(attempts[-ATTEMPTS_KEPT:]),
        count=status.attempt + len(fresh),
        disruptions=status.disruptions + sum(end.fault is FaultClass.CLUSTER for end in ended_now),
        new_outcomes=tuple(ended_now),
    )


def _new_pods(pods: Sequence[ObservedPod], status: VideoJobStatus) -> list[ObservedPod]:
    """Pods that were never counted: pods of a Job are sequential, so they are younger than the youngest counted one."""
    names = {item.pod for item in status.attempts}
    youngest = max((item.started for item in status.attempts if item.started), default=None)
    return [pod for pod in pods if pod.name not in names and (youngest is None or pod.created >= youngest)]


def _refreshed(
    item: AttemptStatus, current: tuple[ObservedPod, PodOutcome | None] | None, *, suspended: bool, now: datetime
) -> AttemptStatus:
    if item.finished is not None:
        return item
    if current is None:
        return item.model_copy(update={"reason": "Suspended" if suspended else "PodDeleted", "finished": now})
    updated = _attempt(item.number, *current, now=now)
    # What was written stays: else the youngest known attempt could grow older, and an old pod count as a new one.
    return updated.model_copy(update={"started": item.started or updated.started})


def _attempt(number: int, pod: ObservedPod, end: PodOutcome | None, *, now: datetime) -> AttemptStatus:
    return AttemptStatus(
        number=number,
        pod=pod.name,
        node=pod.node,
        reason=sanitize(end.reason, 128) if end else "",
        exit_code=end.exit_code if end else None,
        started=pod.created,
        finished=(end.finished or now) if end else None,
    )

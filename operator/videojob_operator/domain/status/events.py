"""
Events of a VideoJob, derived from the difference between the current and the new status.

Each event is therefore emitted once, and no decision depends on an event.
"""

from collections.abc import Iterator
from typing import Literal

from videojob_api.resource.status import Condition, VideoJobStatus

from videojob_operator.domain.conditions import PENDING, find_condition
from videojob_operator.domain.decision import RecordEvent
from videojob_operator.domain.observation.context import ReconcileContext
from videojob_operator.domain.observation.outcomes import FaultClass
from videojob_operator.domain.text import sanitize

WARNING_REASONS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "CreateFailed",
        "ErrImageNeverPull",
        "ImageInspectError",
        "ImagePullFailed",
        "InvalidImageName",
        "JobNameTaken",
        "NodeLost",
        "PodCreationFailed",
        "PodRefused",
        "QuotaExceeded",
        "RunContainerError",
        "Unschedulable",
        "VolumesNotReady",
    }
)
"""Reasons of Running=False that may require action."""
MAX_NOTE_CHARS = 1000


def diff_events(ctx: ReconcileContext, after: VideoJobStatus) -> tuple[RecordEvent, ...]:
    """The events for the change from the current status to `after`."""
    return (*_job(ctx, after), *_attempts(ctx), *completion_events(ctx.status, after), *_running(ctx, after))


def completion_events(before: VideoJobStatus, after: VideoJobStatus) -> Iterator[RecordEvent]:
    """The event of a new verdict."""
    end = _changed(before, after, "Succeeded")
    if end and end.status != "Unknown":
        yield _event("Normal" if end.status == "True" else "Warning", end.reason, end.message)


def _job(ctx: ReconcileContext, after: VideoJobStatus) -> Iterator[RecordEvent]:
    if ctx.job_deleted:
        yield _event("Warning", "JobDeleted", f"Job {ctx.status.job_name} was deleted by another client")
    if after.job_name and ctx.status.job_name is None:
        yield _event("Normal", "JobCreated", f"created Job {after.job_name}")
    suspension = _changed(ctx.status, after, "Suspended")
    if suspension and suspension.status == "True":
        yield _event("Normal", "Suspended", suspension.message)
    elif suspension and _status(ctx.status, "Suspended") == "True" and suspension.reason != "Finished":
        yield _event("Normal", "Resumed", "spec.suspend is false")


def _attempts(ctx: ReconcileContext) -> Iterator[RecordEvent]:
    for end in ctx.attempts.new_outcomes:
        if end.fault is FaultClass.CLUSTER:
            yield _event("Warning", "Disrupted", f"{end.reason}: {end.message}")
        elif end.fault is FaultClass.OWN:
            yield _event("Warning", "AttemptFailed", f"{end.reason}: {end.message}")


def _running(ctx: ReconcileContext, after: VideoJobStatus) -> Iterator[RecordEvent]:
    old, new = find_condition(ctx.status, "Running"), find_condition(after, "Running")
    if new is None or (old is not None and (old.status, old.reason) == (new.status, new.reason)):
        return
    if new.status == "True":
        yield _event("Normal", new.reason, new.message)
    elif new.reason in WARNING_REASONS:
        yield _event("Warning", new.reason, new.message)


def _changed(before: VideoJobStatus, after: VideoJobStatus, kind: str) -> Condition | None:
    """The condition of that type in `after` if its status has changed."""
    new = find_condition(after, kind)
    return new if new and new.status != _status(before, kind) else None


def _status(status: VideoJobStatus, kind: str) -> str:
    found = find_condition(status, kind)
    return found.status if found else PENDING.status


def _event(kind: Literal["Normal", "Warning"], reason: str, note: str) -> RecordEvent:
    return RecordEvent(type=kind, reason=reason, note=sanitize(note, MAX_NOTE_CHARS))

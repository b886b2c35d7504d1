"""
The desired state of a VideoJob and the actions that lead to it.

`decide` maps an `Observed` and a clock to a `Decision`: the complete desired status, actions as data, and the time
after which to decide again if nothing changes before. It has no side effects and is total: every observation has a
decision. The caller writes the status first, if it differs, and then performs the actions in order; each action is
idempotent, and once all are done, deciding again yields none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from videojob_api.resource.status import VideoJobStatus


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create this batch/v1 Job. 409 Conflict is success if the existing Job is owned by this VideoJob."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete the child Job and its pods (propagation Background, precondition `uid`); 404 and 409 are success."""

    name: str
    uid: str
    reason: str
    """Reason of the verdict, for the log."""


@dataclass(frozen=True, slots=True)
class SetSuspend:
    """Set `spec.suspend` of the child Job (precondition `uid`)."""

    name: str
    uid: str
    suspend: bool


@dataclass(frozen=True, slots=True)
class SetActiveDeadline:
    """Set `spec.activeDeadlineSeconds` of the child Job; None removes it (precondition `uid`)."""

    name: str
    uid: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """Record an event, once; emitted together with the status change that it reports."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str
    """At most 1024 characters."""


Action = CreateJob | DeleteJob | SetSuspend | SetActiveDeadline | RecordEvent


@dataclass(frozen=True, slots=True)
class Decision:
    """The desired status and the actions; a `status` equal to the observed one is not written."""

    status: VideoJobStatus
    actions: tuple[Action, ...] = ()
    requeue_after: timedelta | None = None
    """Decide again after this time at the latest; None: only after a change."""

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
    """Create this batch/v1 Job. A 409 about a Job owned by this very VideoJob counts as done."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete the child Job and its pods (propagation Background, precondition `uid`); a 404 or 409 counts as done."""

    name: str
    uid: str
    reason: str
    """For the log: the verdict's reason."""


@dataclass(frozen=True, slots=True)
class SetSuspend:
    """Make `spec.suspend` of the child Job this value (precondition `uid`)."""

    name: str
    uid: str
    suspend: bool


@dataclass(frozen=True, slots=True)
class SetActiveDeadline:
    """Make `spec.activeDeadlineSeconds` of the child Job this value; None removes it (precondition `uid`)."""

    name: str
    uid: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """Tell people once; only emitted beside the status change that makes it true."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str
    """At most 1024 characters."""


Action = CreateJob | DeleteJob | SetSuspend | SetActiveDeadline | RecordEvent


@dataclass(frozen=True, slots=True)
class Decision:
    """`status` equal to the observed one means: write nothing."""

    status: VideoJobStatus
    actions: tuple[Action, ...] = ()
    requeue_after: timedelta | None = None
    """Decide anew after this long at the latest; None: only when something changes."""

"""
Typed, immutable facts about one VideoJob, parsed once when they enter the operator.

The informers deliver raw objects; `projection` converts each into one of these types. `Observed` combines the VideoJob,
its child Job, the Job's pods, the results of creating them, and the newest report. It is the only input of `decide`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from videojob_api.messages.report import Report
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.status import VideoJobStatus

CONTROLLER_NAME = "videojobs.dev/controller"
"""`spec.managedBy` of the VideoJobs that this operator manages."""


@dataclass(frozen=True, slots=True)
class ObservedCondition:
    """One condition of a Job or pod."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None
    """lastTransitionTime."""


@dataclass(frozen=True, slots=True)
class ContainerExit:
    """A terminated container. `message` is its termination message, at most 4 KiB."""

    code: int
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """One container: waiting (`waiting_reason`), running (`started_at` without `exit`), or terminated (`exit`)."""

    name: str
    waiting_reason: str = ""
    waiting_message: str = ""
    failing_since: datetime | None = None
    """Since when it has been rejected repeatedly (`container_errors`); None: no evidence."""
    started_at: datetime | None = None
    """When it started; kept after it has terminated."""
    exit: ContainerExit | None = None


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """One pod of the child Job. `deleted`: it no longer exists, and this is its final state."""

    uid: str
    name: str
    job_uid: str
    created: datetime
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"] = "Pending"
    node: str | None = None
    reason: str = ""
    """Why the pod failed as a whole: Evicted, NodeShutdown …"""
    message: str = ""
    deletion_deadline: datetime | None = None
    """deletionTimestamp: the end of its grace period."""
    deleted: bool = False
    conditions: Mapping[str, ObservedCondition] = field(default_factory=dict)
    containers: Mapping[str, ObservedContainer] = field(default_factory=dict)
    """By name, including init containers and sidecars."""

    @property
    def is_terminal(self) -> bool:
        """True if no container of it will run any more."""
        return self.deleted or self.phase in ("Succeeded", "Failed")

    def container(self, name: str) -> ObservedContainer:
        """The container's state; one that was never reported has not started."""
        return self.containers.get(name, ObservedContainer(name))


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """The child Job. `owner_uid` is its controller's, empty when it has none."""

    uid: str
    name: str
    owner_uid: str
    created: datetime
    owner_kind: str = ""
    suspend: bool = False
    active_deadline_seconds: int | None = None
    deleting: bool = False
    active: int = 0
    terminating: int = 0
    failed: int = 0
    succeeded: int = 0
    started: datetime | None = None
    """startTime: reset by the Job controller at each resume."""
    conditions: Mapping[str, ObservedCondition] = field(default_factory=dict)

    def _holds(self, kind: str) -> ObservedCondition | None:
        condition = self.conditions.get(kind)
        return condition if condition and condition.status == "True" else None

    @property
    def complete_condition(self) -> ObservedCondition | None:
        """The condition Complete, if True."""
        return self._holds("Complete")

    @property
    def failed_condition(self) -> ObservedCondition | None:
        """The condition Failed, if True."""
        return self._holds("Failed")

    @property
    def is_finished(self) -> bool:
        """True if the Job is complete or has failed."""
        return bool(self.complete_condition or self.failed_condition)


@dataclass(frozen=True, slots=True)
class PodRefusal:
    """A FailedCreate event: the API server rejected a pod of the Job controller."""

    uid: str
    """Uid of the event; equal messages increase its count."""
    name: str
    """Name of the event."""
    job_uid: str
    message: str
    created: datetime
    """When this message was first recorded (Job controller's clock); earlier for a combined event."""
    last: datetime
    """When this message was last recorded."""

    @property
    def combined(self) -> bool:
        """True if it combines different messages: recorders do so after ten events in ten minutes."""
        return self.message.startswith("(combined from similar events)")


@dataclass(frozen=True, slots=True)
class ObservedReport:
    """The newest accepted report of a job, and its pod."""

    report: Report
    pod_uid: str
    pod_created: datetime
    received_at: datetime
    """Time by the operator's clock."""
    progressed_at: datetime
    """When state, percent or frames last changed; start of the progress deadline."""


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """Why a job cannot run: a CamelCase reason, and a message with field, value and remedy."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class CreationProblem(SpecProblem):
    """The last creation of the Job was rejected. `permanent`: the API server will never accept it (422)."""

    permanent: bool = False


@dataclass(frozen=True, slots=True)
class ObservedVideoJob:
    """One VideoJob. `spec` is None if it cannot be parsed; `spec_error` is the reason then."""

    namespace: str
    name: str
    uid: str
    created: datetime
    status: VideoJobStatus
    spec: VideoJobSpec | None = None
    spec_error: SpecProblem | None = None
    generation: int = 1
    resource_version: str = ""
    deleting: bool = False
    managed_by: str = CONTROLLER_NAME


@dataclass(frozen=True, slots=True)
class Observed:
    """All facts about one VideoJob at one moment."""

    videojob: ObservedVideoJob
    job: ObservedJob | None = None
    """The Job named `job_name(videojob)`, with any owner."""
    pods: tuple[ObservedPod, ...] = ()
    """Pods of that Job in any order, including those deleted within the last minute."""
    warnings: tuple[str, ...] = ()
    """`Warning` headers of the Job's creation. Hints, never evidence: a warning rejects nothing."""
    refusals: tuple[PodRefusal, ...] = ()
    """The Job's FailedCreate events, in any order."""
    refusals_hidden: bool = False
    """True if FailedCreate events cannot be read, so that `refusals` may be incomplete."""
    newest_pod: datetime | None = None
    """Creation time of the youngest pod of any VideoJob: shows whether the Job controller works."""
    pods_read: bool = False
    """True if `pods` was read from the API server after the Job had finished, so that nothing can be missing."""
    creation_problem: CreationProblem | None = None
    report: ObservedReport | None = None

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
"""`spec.managedBy` of the VideoJobs that are ours to run."""


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
    """How a container ended. `message` is what the kubelet read at the termination path, at most 4 KiB."""

    code: int
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """
    One container: at most one of `waiting_reason`, `started_at` without `exit`, or `exit` tells its present state.
    """

    name: str
    waiting_reason: str = ""
    waiting_message: str = ""
    failing_since: datetime | None = None
    """Since when this operator sees it refused, again and again (`container_errors`); None: no evidence."""
    started_at: datetime | None = None
    """When it began to run; kept after its end."""
    exit: ContainerExit | None = None


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """One pod of the child Job. `deleted`: deleted from the API server, these are its last words."""

    uid: str
    name: str
    job_uid: str
    created: datetime
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"] = "Pending"
    node: str | None = None
    reason: str = ""
    """Why the pod as a whole failed: Evicted, NodeShutdown …"""
    message: str = ""
    deletion_deadline: datetime | None = None
    """deletionTimestamp: when its grace period is over."""
    deleted: bool = False
    conditions: Mapping[str, ObservedCondition] = field(default_factory=dict)
    containers: Mapping[str, ObservedContainer] = field(default_factory=dict)
    """By name; init containers and sidecars among them."""

    @property
    def is_terminal(self) -> bool:
        """True if nothing in it will run any more."""
        return self.deleted or self.phase in ("Succeeded", "Failed")

    def container(self, name: str) -> ObservedContainer:
        """The container's state; one that was never reported looks as if it had not begun."""
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
        """The condition that says every pod has succeeded."""
        return self._holds("Complete")

    @property
    def failed_condition(self) -> ObservedCondition | None:
        """The condition that says the Job controller has given up."""
        return self._holds("Failed")

    @property
    def is_finished(self) -> bool:
        """True if the Job controller is done with it."""
        return bool(self.complete_condition or self.failed_condition)


@dataclass(frozen=True, slots=True)
class PodRefusal:
    """A FailedCreate event: the API server refused a pod that the Job controller asked for."""

    uid: str
    """Of the event; the same words again raise its count, not a new event."""
    name: str
    """Of the event."""
    job_uid: str
    message: str
    created: datetime
    """When the pod was first refused with these words (Job controller's clock); a combined event is older."""
    last: datetime
    """When it was last refused so."""

    @property
    def combined(self) -> bool:
        """True if it stands for many, which began with other words: recorders combine after ten in ten minutes."""
        return self.message.startswith("(combined from similar events)")


@dataclass(frozen=True, slots=True)
class ObservedReport:
    """The newest report taken for a job, and from which pod."""

    report: Report
    pod_uid: str
    pod_created: datetime
    received_at: datetime
    """By the operator's clock."""
    progressed_at: datetime
    """When state, percent or frames last differed from the report before; what a progress deadline counts from."""


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """Something that stands in the way: a CamelCase reason, and a sentence that names field, value and remedy."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class CreationProblem(SpecProblem):
    """The last try to create the Job was refused. `permanent`: the API server will never take this object (422)."""

    permanent: bool = False


@dataclass(frozen=True, slots=True)
class ObservedVideoJob:
    """One VideoJob. `spec` is None when it does not parse, and `spec_error` then says why."""

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
    """Everything known about one VideoJob at one moment."""

    videojob: ObservedVideoJob
    job: ObservedJob | None = None
    """The Job named `job_name(videojob)`, whoever owns it."""
    pods: tuple[ObservedPod, ...] = ()
    """Pods of that Job, those gone within the last minute included, in any order."""
    warnings: tuple[str, ...] = ()
    """`Warning` headers of the Job's creation. A hint for people, never evidence: a warning refuses nothing."""
    refusals: tuple[PodRefusal, ...] = ()
    """The Job's FailedCreate events, in any order."""
    refusals_hidden: bool = False
    """True if FailedCreate events cannot be read, so that `refusals` may lack some."""
    newest_pod: datetime | None = None
    """When the youngest pod of any VideoJob was created: whether the Job controller serves others meanwhile."""
    pods_read: bool = False
    """True if `pods` was read from the API server after the Job had ended: no last words can be on their way."""
    creation_problem: CreationProblem | None = None
    report: ObservedReport | None = None

"""
Facts about one VideoJob that no object holds: the API server's answers to the creation of its Job, since when
containers and pods are being rejected, and whether the pods of a finished Job were read. An entry is evicted when the
VideoJob is deleted or has finished.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from videojob_operator.domain.observation.container_errors import error_class, is_backoff_only, is_refusal
from videojob_operator.domain.observation.observed import CreationProblem, ObservedContainer, ObservedPod, PodRefusal
from videojob_operator.domain.policies.pod_creation import classify

MAX_WARNINGS = 5


@dataclass(slots=True)
class JobCreation:
    """Creation facts about one VideoJob, identified by uid."""

    uid: str
    api_warnings: tuple[str, ...] = ()
    problem: CreationProblem | None = None
    pods_read_of: str = ""
    """Uid of the finished Job whose pods were read from the API server."""
    failing_containers: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict)
    """By pod and container: the class of the error that keeps it from starting, and since when."""
    refusal_kinds: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """By combined event: the kind of its message, and since when it has had this kind."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the API server, newest last, deduplicated, at most five."""
        return tuple(dict.fromkeys(self.api_warnings))[-MAX_WARNINGS:]

    def with_failing_since(self, pod: ObservedPod, *, now: datetime) -> ObservedPod:
        """The pod, with the time since when each failing container has failed."""
        containers = {name: self._with_failing_since(pod.uid, each, now=now) for name, each in pod.containers.items()}
        return replace(pod, containers=containers)

    def _with_failing_since(self, pod: str, container: ObservedContainer, *, now: datetime) -> ObservedContainer:
        key, kind = (pod, container.name), error_class(container)
        if is_refusal(container):
            if self.failing_containers.get(key, ("",))[0] != kind:
                self.failing_containers[key] = kind, now
        elif not is_backoff_only(container):
            self.failing_containers.pop(key, None)
        return (
            replace(container, failing_since=self.failing_containers[key][1])
            if key in self.failing_containers
            else container
        )

    def with_first_refusal(self, refusal: PodRefusal) -> PodRefusal:
        """
        The refusal, `created` when a message of its kind was first seen: a combined event is older than its message.
        """
        if not refusal.combined:
            return refusal
        kind = classify(refusal.message)
        if self.refusal_kinds.get(refusal.uid, ("",))[0] != kind:
            self.refusal_kinds[refusal.uid] = kind, refusal.last
        return replace(refusal, created=self.refusal_kinds[refusal.uid][1])


class JobCreations:
    """One entry per VideoJob, by uid."""

    def __init__(self) -> None:
        self._creations = dict[str, JobCreation]()

    def get(self, uid: str) -> JobCreation:
        """The entry, created if missing."""
        return self._creations.setdefault(uid, JobCreation(uid))

    def record_success(self, uid: str, *, warnings: tuple[str, ...] = ()) -> None:
        """Record a successful creation; clears an earlier problem."""
        creation = self.get(uid)
        creation.api_warnings, creation.problem = warnings, None

    def record_failure(self, uid: str, problem: CreationProblem) -> bool:
        """Record a failed creation; False if it has the same reason as before."""
        creation = self.get(uid)
        before, creation.problem = creation.problem, problem
        return before is None or (before.reason, before.permanent) != (problem.reason, problem.permanent)

    def evict(self, uid: str) -> None:
        """Drop the entry of a VideoJob that was deleted or has finished."""
        self._creations.pop(uid, None)

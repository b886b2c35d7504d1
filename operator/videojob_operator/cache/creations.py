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
    """About one incarnation of a VideoJob."""

    uid: str
    api_warnings: tuple[str, ...] = ()
    problem: CreationProblem | None = None
    pods_read_of: str = ""
    """Uid of the ended Job whose pods were read from the API server."""
    failing_containers: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict)
    """By pod and container: the class of error with which it is refused, and since when."""
    refusal_kinds: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """By combined event: the kind of its words, and since when they are of this kind."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Newest last, at most five, each once."""
        return tuple(dict.fromkeys(self.api_warnings))[-MAX_WARNINGS:]

    def with_failing_since(self, pod: ObservedPod, *, now: datetime) -> ObservedPod:
        """The pod, each container that waits for an error with the time since when it does."""
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
        The refusal, `record_success` when words of its kind were first seen: a combined event is older than its words.
        """
        if not refusal.combined:
            return refusal
        kind = classify(refusal.message)
        if self.refusal_kinds.get(refusal.uid, ("",))[0] != kind:
            self.refusal_kinds[refusal.uid] = kind, refusal.last
        return replace(refusal, created=self.refusal_kinds[refusal.uid][1])


class JobCreations:
    """A note for each VideoJob, by uid."""

    def __init__(self) -> None:
        self._creations = dict[str, JobCreation]()

    def get(self, uid: str) -> JobCreation:
        """The note, made when there is none."""
        return self._creations.setdefault(uid, JobCreation(uid))

    def record_success(self, uid: str, *, warnings: tuple[str, ...] = ()) -> None:
        """The creation worked; earlier trouble is over."""
        creation = self.get(uid)
        creation.api_warnings, creation.problem = warnings, None

    def record_failure(self, uid: str, problem: CreationProblem) -> bool:
        """The creation did not work; False when this was known, if only in other words: they may differ each time."""
        creation = self.get(uid)
        before, creation.problem = creation.problem, problem
        return before is None or (before.reason, before.permanent) != (problem.reason, problem.permanent)

    def evict(self, uid: str) -> None:
        """The VideoJob is gone."""
        self._creations.pop(uid, None)

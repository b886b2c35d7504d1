"""
Builders for tests of the domain: a case shows what matters to it, everything else is an ordinary afternoon.

The moment is `NOW`; `seconds_ago(30)` was half a minute before it. A VideoJob called `sunset` in namespace `art` runs
as Job `sunset-1` in pods `sunset-1-a`, `sunset-1-b`, …
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from videojob_api.messages.report import FetchResult, ProgressState, Report
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.status import Condition, VideoJobStatus
from videojob_operator.domain.decide import decide
from videojob_operator.domain.decision import Decision
from videojob_operator.domain.observation.observed import (
    ContainerExit,
    CreationProblem,
    Observed,
    ObservedCondition,
    ObservedContainer,
    ObservedJob,
    ObservedPod,
    ObservedReport,
    ObservedVideoJob,
    PodRefusal,
)
from videojob_operator.domain.settings import ReconcileSettings

NOW = datetime(2026, 1, 2, 15, 0, 0, tzinfo=UTC)
UID, JOB_UID = "11111111-2222-3333-4444-555555555555", "job-uid"
DIGEST = "sha256:" + "a" * 64
Truth = Literal["True", "False", "Unknown"]
Containers = Iterable[ObservedContainer]
Phase = Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]


def seconds_ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def settings(**told: Any) -> ReconcileSettings:
    base: dict[str, Any] = {"agent_image": "agent:1", "runner_image": "runner:1", "endpoint": "https://reports:8443"}
    return ReconcileSettings(**(base | told))


def spec(**told: Any) -> VideoJobSpec:
    """Twelve small frames on a CPU to the claim `videos`; camelCase fields as in a manifest."""
    base: dict[str, Any] = {
        "pipeline": {"vqganClip": {"width": 64, "height": 64, "video": {"prompts": "a red circle", "frames": 12}}},
        "output": {"pvc": {"claimName": "videos"}},
        "runner": {"accelerator": "None"},
    }
    return VideoJobSpec.model_validate(base | told)


def custom(**told: Any) -> dict[str, Any]:
    """The parts of a spec that make it a foreign image's job."""
    return {"pipeline": {"custom": told}, "runner": {"accelerator": "None", "image": "acme:1"}}


def status(*, accepted: datetime | None = None, **told: Any) -> VideoJobStatus:
    """A status in which the VideoJob was accepted, and its Job seen; `conditions` adds or replaces some."""
    since = accepted or seconds_ago(600)
    first = {"Accepted": condition("Accepted", "True", since), "Suspended": condition("Suspended", "False", since)}
    more = {item.type: item for item in told.pop("conditions", ())}
    return VideoJobStatus(**({"job_name": "sunset-1", "conditions": list((first | more).values())} | told))


def condition(
    kind: str, value: Literal["True", "False", "Unknown"], since: datetime, *, reason: str = "X"
) -> Condition:
    return Condition(type=kind, status=value, reason=reason, last_transition_time=since)


def videojob(**told: Any) -> ObservedVideoJob:
    base: dict[str, Any] = {"namespace": "art", "name": "sunset", "uid": UID, "created": seconds_ago(600)}
    return ObservedVideoJob(**(base | {"status": status(), "spec": spec()} | told))


def new_videojob(**told: Any) -> ObservedVideoJob:
    """One that nobody has looked at yet."""
    return videojob(**({"status": VideoJobStatus(), "created": NOW} | told))


def true_condition(
    kind: str, *, reason: str = "", message: str = "", since: datetime | None = None
) -> dict[str, ObservedCondition]:
    """One condition that is True, as a mapping to put together."""
    return {kind: ObservedCondition(kind, "True", reason, message, since or NOW)}


def false_condition(
    kind: str, *, reason: str = "", message: str = "", since: datetime | None = None
) -> dict[str, ObservedCondition]:
    """One condition that is False."""
    return {kind: ObservedCondition(kind, "False", reason, message, since or NOW)}


def job(**told: Any) -> ObservedJob:
    """The child Job, at work on its first pod."""
    base: dict[str, Any] = {"uid": JOB_UID, "name": "sunset-1", "owner_uid": UID, "owner_kind": "VideoJob"}
    return ObservedJob(**(base | {"created": seconds_ago(600), "started": seconds_ago(600), "active": 1} | told))


def complete_job(*, since: datetime = NOW, **told: Any) -> ObservedJob:
    return job(**({"active": 0, "succeeded": 1, "conditions": true_condition("Complete", since=since)} | told))


def failed_job(reason: str = "BackoffLimitExceeded", *, since: datetime = NOW, **told: Any) -> ObservedJob:
    conditions = true_condition("Failed", reason=reason, message="the Job controller gave up", since=since)
    return job(**({"active": 0, "failed": 1, "conditions": conditions} | told))


def pod(letter: str = "a", *, phase: Phase = "Pending", containers: Containers = (), **told: Any) -> ObservedPod:
    """A pod of the Job on node `n1`; `a` is older than `b`."""
    age = 500 - 100 * (ord(letter) - ord("a"))
    base: dict[str, Any] = {"uid": f"pod-{letter}", "name": f"sunset-1-{letter}", "job_uid": JOB_UID}
    base |= {
        "created": seconds_ago(age),
        "node": "n1",
        "phase": phase,
        "conditions": true_condition("PodScheduled", since=seconds_ago(age)),
    }
    return ObservedPod(**(base | {"containers": {item.name: item for item in containers}} | told))


def waiting_container(name: str, reason: str, message: str = "", *, since: datetime | None = None) -> ObservedContainer:
    """A container that waits for `reason`, which was first seen at `since`."""
    return ObservedContainer(name, waiting_reason=reason, waiting_message=message, failing_since=since)


def running_container(name: str, *, since: datetime | None = None) -> ObservedContainer:
    return ObservedContainer(name, started_at=since or seconds_ago(300))


def exited_container(
    name: str, code: int = 0, *, reason: str = "", message: str = "", at: datetime | None = None
) -> ObservedContainer:
    return ObservedContainer(
        name, started_at=seconds_ago(300), exit=ContainerExit(code, reason, message, at or seconds_ago(5))
    )


def running_pod(letter: str = "a", *, since: datetime | None = None, **told: Any) -> ObservedPod:
    """A pod whose runner is at work."""
    containers = (running_container("agent"), exited_container("fetch"), running_container("runner", since=since))
    return pod(letter, phase="Running", containers=containers, **told)


def succeeded_pod(letter: str = "a", *, words: str = "", **told: Any) -> ObservedPod:
    containers = (exited_container("agent", message=words), exited_container("fetch"), exited_container("runner"))
    return pod(letter, phase="Succeeded", containers=containers, **told)


def failed_pod(
    letter: str = "a", *, code: int = 1, words: str = "", at: datetime | None = None, **told: Any
) -> ObservedPod:
    """A pod whose runner ended with `code`; `words` are the agent's last."""
    runner = exited_container("runner", code, reason=told.pop("why", "Error"), message=told.pop("log", ""), at=at)
    return pod(
        letter,
        phase="Failed",
        containers=(exited_container("agent", message=words), exited_container("fetch"), runner),
        **told,
    )


def unfetched_pod(letter: str = "a", *, code: int = 65, reason: str = "Error", message: str = "") -> ObservedPod:
    """A pod whose fetch ended with `code`."""
    fetch = exited_container("fetch", code, reason=reason, message=message)
    return pod(
        letter,
        phase="Failed",
        containers=(exited_container("agent"), fetch, waiting_container("runner", "PodInitializing")),
    )


def report(sequence: int = 1, *, state: ProgressState = ProgressState.RUNNING, **told: Any) -> Report:
    return Report(uid=UID, sequence=sequence, state=state, **({"observed_time": NOW} | told))


def pushed_report(what: Report | None = None, *, letter: str = "a", **told: Any) -> ObservedReport:
    """A report that has come from a pod."""
    sender = pod(letter)
    base: dict[str, Any] = {
        "pod_uid": sender.uid,
        "pod_created": sender.created,
        "received_at": NOW,
        "progressed_at": NOW,
    }
    return ObservedReport(report=what or report(), **(base | told))


def published(**told: Any) -> dict[str, Any]:
    """The part of a report that is evidence."""
    return {"manifest_digest": DIGEST, "frames": 12, "bytes": 34567, "videos": ["sunset.mp4"]} | told


def termination_message(what: Report | None = None, **told: Any) -> str:
    """The agent's termination message."""
    return (what or report(**({"sequence": 9} | told))).model_dump_json(by_alias=True, exclude_none=True)


def fetch_termination_message(reason: str, message: str) -> str:
    """The termination message of a fetch that failed."""
    told = {"failure": {"reason": reason, "message": message}}
    return FetchResult.model_validate(told).model_dump_json(by_alias=True)


def observed(**told: Any) -> Observed:
    base: dict[str, Any] = {"videojob": videojob(), "job": job()}
    return Observed(**(base | told))


def creation_problem(
    reason: str = "CreateFailed", *, message: str = "quota", permanent: bool = False
) -> CreationProblem:
    return CreationProblem(reason, message, permanent=permanent)


def refused(message: str, *, first: float, last: float) -> PodRefusal:
    """A FailedCreate event, first seen `first` seconds ago and last seen `last` seconds ago."""
    uid = f"{message[:20]}-{first}"
    return PodRefusal(
        uid, uid, JOB_UID, f"Error creating: {message}", created=seconds_ago(first), last=seconds_ago(last)
    )


def decide_about(*, now: datetime = NOW, told: ReconcileSettings | None = None, **seen: Any) -> Decision:
    """The decision about `observed(**seen)`."""
    return decide(observed(**seen), now=now, settings=told or settings())


def condition_value(decision: Decision, kind: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition."""
    found = next(item for item in decision.status.conditions if item.type == kind)
    return found.status, found.reason, found.message

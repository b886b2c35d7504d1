"""
Why the runner does not run, and for how long that may last.

Kubernetes waits for ever: for a node, for an image, for a Secret, for a quota. Here each kind of waiting has a name
and a sentence for people, and a patience after which it becomes a verdict; then the operator deletes the Job. Patience
counts from the moment the present wait began, not from the creation of the VideoJob.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from videojob_operator.domain.case import Case
from videojob_operator.domain.conditions import Fact, since
from videojob_operator.domain.observed import AGENT, FETCH, RUNNER, ContainerSeen, PodSeen
from videojob_operator.domain.verdict import Verdict
from videojob_operator.domain.volumes import claim_names, secret_names

CONFIG_ERRORS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ImageInspectError",
        "InvalidImageName",
        "RunContainerError",
    }
)
PULL_ERRORS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
SANDBOX_PATIENCE = timedelta(seconds=10)
"""A node may take this long to set a pod up before volumes are named as the likely reason."""
EVENTS_AFTER = timedelta(seconds=6)
"""FailedCreate events are read only for a Job that has been without a pod for a moment."""
LOST_AFTER = timedelta(seconds=30)
"""A pod that outlives its grace period by this much is on a node that does not answer."""
OWN_WORDS = CONFIG_ERRORS | {"ImagePullFailed", "NoPod", "PodRefused", "VolumesNotReady"}
"""Reasons that say more than "the start deadline has passed"."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Why nothing runs yet. After `patience` from `began` it is a verdict; None: only the start deadline counts."""

    reason: str
    message: str
    began: datetime | None = None
    patience: timedelta | None = None
    again: timedelta | None = None
    """When there may be more to say, though nothing will call."""

    @property
    def fact(self) -> Fact:
        """As the condition Running."""
        return Fact("False", self.reason, self.message)


def waiting(case: Case) -> Wait | None:
    """Why the runner has not started; None when it has, or when nothing should run."""
    if case.stranger:
        return Wait("JobNameTaken", _taken(case.stranger.name, case.stranger.owner_kind))
    if case.job is None:
        return _no_job(case)
    if case.job.suspend or case.job.finished or (case.pod and case.pod.phase == "Succeeded"):
        return None
    if case.live_pod is None:
        return Wait("JobDeleting", "somebody is deleting the Job") if case.job.deleting else _no_pod(case)
    return None if case.live_pod.container(RUNNER).started else _in_pod(case, case.live_pod)


def overdue(case: Case, wait: Wait) -> Verdict | timedelta:
    """The verdict if patience has run out, else how much of it is left."""
    begun, limit = started_waiting(case), case.spec.deadlines.start_seconds
    ends = [begun + timedelta(seconds=limit)]
    if wait.patience is not None:
        ends.append((wait.began or begun) + wait.patience)
    left = min(ends) - case.now
    if left > timedelta(0):
        return min(left, wait.again or left)
    if case.now < ends[0]:
        return Verdict(False, wait.reason, wait.message)
    text = f"the runner has not started within {limit} s (spec.deadlines.startSeconds): {wait.reason}: {wait.message}"
    return Verdict(False, wait.reason if wait.reason in OWN_WORDS else "StartDeadlineExceeded", text)


def started_waiting(case: Case) -> datetime:
    """When the present wait began: at acceptance, at the last resume, or at the end of the last attempt."""
    accepted = since(case.status, "Accepted", "True") or case.now
    resumed = since(case.status, "Suspended", "False") or case.now
    return max(accepted, resumed, case.history.last_end or accepted)


def lost(case: Case) -> Fact | None:
    """A pod that should have ended long ago: its node is gone, and no replacement comes before it is (VJ-16)."""
    pod = case.live_pod
    if pod is None or pod.deleting is None or case.now < pod.deleting + LOST_AFTER:
        return None
    text = f"pod {pod.name} should have ended at {pod.deleting:%Y-%m-%dT%H:%M:%SZ}, but node {pod.node} does not answer"
    taint = f"kubectl taint nodes {pod.node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
    return Fact("False", "NodeLost", f"{text}; if the node is gone for good: {taint}")


def until_lost(case: Case) -> timedelta | None:
    """When to look whether a pod that is being deleted has gone."""
    pod = case.live_pod
    left = pod.deleting + LOST_AFTER - case.now if pod and pod.deleting else None
    return left if left and left > timedelta(0) else None


def _taken(name: str, owner_kind: str) -> str:
    if owner_kind == "VideoJob":
        return f"Job {name} of an earlier VideoJob with this name is still being removed"
    return f"a Job {name} exists and does not belong to this VideoJob: delete it, or choose another name"


def _no_job(case: Case) -> Wait:
    problem = case.creation_problem
    return Wait(problem.reason, problem.message) if problem else Wait("CreatingJob", "the Job is being created")


def _no_pod(case: Case) -> Wait:
    """Pod Security and quotas refuse pods without a trace in the Job: only events and creation warnings tell."""
    job = case.job
    if job and (job.active or job.terminating or job.failed or any(not pod.gone for pod in case.pods)):
        return Wait("NoPod", "the Job controller has not made the next pod yet")
    said = "; ".join(case.warnings)
    began = max(started_waiting(case), (job and (job.started or job.created)) or case.now)
    if said:
        return Wait("PodRefused", f"no pod could be created: {said}", began, case.settings.no_pod_wait)
    return Wait("NoPod", "the Job controller has not made a pod", began, case.settings.no_pod_wait, again=EVENTS_AFTER)


def _in_pod(case: Case, pod: PodSeen) -> Wait:
    for name in (AGENT, FETCH, RUNNER):
        if wait := _container(case, pod, pod.container(name)):
            return wait
    return _scheduling(pod) or _sandbox(case, pod) or _starting(pod)


def _container(case: Case, pod: PodSeen, container: ContainerSeen) -> Wait | None:
    reason, began = container.waiting_reason, _turn(pod, container.name)
    text = f"container {container.name}: {container.waiting_message or reason}"
    if reason in CONFIG_ERRORS:
        return Wait(reason, text + _remedy(container), began, case.settings.config_error_wait)
    if reason in PULL_ERRORS:
        return Wait("ImagePullFailed", text, began, case.settings.image_pull_wait)
    return None


def _remedy(container: ContainerSeen) -> str:
    root = "runAsNonRoot" in container.waiting_message or "non-numeric user" in container.waiting_message
    return "; set spec.pod.runAsUser to a number above 0, or use an image that does not run as root" if root else ""


def _turn(pod: PodSeen, container: str) -> datetime:
    """When it was this container's turn: after scheduling, after the agent's start, after fetch."""
    scheduled = pod.conditions.get("PodScheduled")
    agent, fetch = pod.container(AGENT), pod.container(FETCH)
    known = [pod.created, scheduled.since if scheduled else None]
    if container != AGENT:
        known.append(agent.started)
    if container == RUNNER:
        known.append(fetch.exit.finished if fetch.exit else None)
    return max(moment for moment in known if moment is not None)


def _scheduling(pod: PodSeen) -> Wait | None:
    scheduled = pod.conditions.get("PodScheduled")
    if scheduled is None or scheduled.status == "True":
        return None
    told = scheduled.message.lower()
    volumes = "persistentvolume" in told or "volume node affinity" in told
    return Wait("VolumesNotReady" if volumes else scheduled.reason or "Unschedulable", scheduled.message)


def _sandbox(case: Case, pod: PodSeen) -> Wait | None:
    """A missing Secret shows in events of the pod only; its condition says at least that it is not set up."""
    scheduled, ready = pod.conditions.get("PodScheduled"), pod.conditions.get("PodReadyToStartContainers")
    if ready is None or ready.status == "True" or scheduled is None or scheduled.since is None:
        return None
    left = scheduled.since + SANDBOX_PATIENCE - case.now
    if left > timedelta(0):
        return Wait("ContainersStarting", f"node {pod.node} is setting the pod up", again=left)
    named = [f"Secret {name}" for name in secret_names(case.spec)] + [
        f"claim {name}" for name in claim_names(case.spec)
    ]
    exist = f"; do these exist: {', '.join(named)}?" if named else ""
    return Wait("VolumesNotReady", f"node {pod.node} cannot set the pod's volumes up yet{exist}")


def _starting(pod: PodSeen) -> Wait:
    fetch = pod.container(FETCH)
    if fetch.started and not fetch.exit:
        return Wait("FetchingInputs", "fetch is bringing the inputs")
    waits = next((pod.container(name) for name in (AGENT, FETCH, RUNNER) if not pod.container(name).started), None)
    return Wait("ContainersStarting", f"container {waits.name} is about to start" if waits else "about to start")

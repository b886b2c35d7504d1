"""
Why the runner has not started, and how long that may take.

Waiting before a pod is scheduled (Job controller, quota, free device) has no limit except `deadlines.pendingSeconds`.
After scheduling, `deadlines.startSeconds` applies. Only a rejection by the API server, a registry or the container
runtime leads to a verdict of its own, and only after it has been repeated for a while. After a verdict the operator
deletes the Job, because Kubernetes would keep waiting.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from videojob_operator.domain.conditions import ConditionValue, status_since
from videojob_operator.domain.manifests.volumes import claim_names, secret_names
from videojob_operator.domain.names import AGENT, FETCH, RUNNER
from videojob_operator.domain.observation.container_errors import CONFIG_ERRORS, error_class, is_refusal
from videojob_operator.domain.observation.context import ReconcileContext
from videojob_operator.domain.observation.observed import ObservedContainer, ObservedJob, ObservedPod
from videojob_operator.domain.policies import pod_creation
from videojob_operator.domain.policies.verdict import Verdict

SANDBOX_TIMEOUT = timedelta(seconds=10)
"""Time for a node to set up a pod before volumes are reported as the likely cause."""
NODE_LOST_TIMEOUT = timedelta(seconds=30)
"""A pod that outlives its grace period by this much is on a node that is not responding."""
EVENT_ACCESS_CHECK_INTERVAL = timedelta(minutes=1)
"""Time between two checks whether FailedCreate events can be read again."""
SPECIFIC_REASONS = CONFIG_ERRORS | {"ImagePullFailed", "VolumesNotReady"}
"""Reasons that are more specific than StartDeadlineExceeded."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why the runner has not started, and when this wait ends without a change."""

    reason: str
    message: str
    scheduled: datetime | None = None
    """When the pod was scheduled, start of `startSeconds`; None: pending, `pendingSeconds` applies."""
    refused_at: datetime | None = None
    """When a refusal becomes a verdict, or became one; None: there is no refusal."""
    requeue_after: timedelta | None = None
    """Time after which the message may change although no object does."""

    @property
    def condition(self) -> ConditionValue:
        """The wait as the condition Running."""
        return ConditionValue("False", self.reason, self.message)


def find_waiting(ctx: ReconcileContext) -> Waiting | None:
    """Why the runner has not started; None if it has, or if nothing should run."""
    if ctx.conflicting_job:
        return Waiting("JobNameTaken", _name_taken_message(ctx.conflicting_job.name, ctx.conflicting_job.owner_kind))
    if ctx.job is None:
        return _no_job(ctx)
    if ctx.job.suspend or ctx.job.is_finished or (ctx.pod and ctx.pod.phase == "Succeeded"):
        return None
    if ctx.active_pod is None:
        return Waiting("JobDeleting", "the Job is being deleted") if ctx.job.deleting else _no_pod(ctx, ctx.job)
    return None if ctx.active_pod.container(RUNNER).started_at else _in_pod(ctx, ctx.active_pod)


def check_startup_timeout(ctx: ReconcileContext, wait: Waiting) -> Verdict | timedelta | None:
    """The verdict if a refusal or a deadline has ended the wait, else the time until one does; None: no limit."""
    if ctx.spec.suspend:  # about to be suspended: no deadline applies
        return wait.requeue_after
    deadlines = [*_refusal(wait), *_pending_deadline(ctx, wait), *_start_deadline(ctx, wait)]
    expired = [(moment, verdict) for moment, verdict in deadlines if moment <= ctx.now]
    if expired:
        return min(expired, key=lambda end: end[0])[1]
    remaining = [moment - ctx.now for moment, _ in deadlines]
    return min((left for left in (*remaining, wait.requeue_after) if left is not None), default=None)


def _refusal(wait: Waiting) -> list[tuple[datetime, Verdict]]:
    return [(wait.refused_at, Verdict(False, wait.reason, wait.message))] if wait.refused_at else []


def _pending_deadline(ctx: ReconcileContext, wait: Waiting) -> list[tuple[datetime, Verdict]]:
    limit = ctx.spec.deadlines.pending_seconds
    has_node = ctx.active_pod is not None and ctx.active_pod.node is not None  # also one that is being deleted
    if wait.scheduled or has_node or limit is None:
        return []
    text = f"no pod was scheduled within {limit} s (spec.deadlines.pendingSeconds): {wait.reason}: {wait.message}"
    return [(pending_since(ctx) + timedelta(seconds=limit), Verdict(False, "PendingDeadlineExceeded", text))]


def _start_deadline(ctx: ReconcileContext, wait: Waiting) -> list[tuple[datetime, Verdict]]:
    if wait.scheduled is None:
        return []
    limit = ctx.spec.deadlines.start_seconds
    text = (
        f"the runner has not started within {limit} s of the pod's scheduling (spec.deadlines.startSeconds): "
        f"{wait.reason}: {wait.message}"
    )
    reason = wait.reason if wait.reason in SPECIFIC_REASONS else "StartDeadlineExceeded"
    return [(wait.scheduled + timedelta(seconds=limit), Verdict(False, reason, text))]


def pending_since(ctx: ReconcileContext) -> datetime:
    """Start of the wait for a pod: acceptance, the last resumption, or the end of the last attempt."""
    accepted = status_since(ctx.status, "Accepted", "True") or ctx.now
    resumed = status_since(ctx.status, "Suspended", "False") or ctx.now
    # The Job controller makes the next pod when all of the last one has ended, its agent included.
    finished = [
        each.exit.finished_at for pod in ctx.pods if pod.is_terminal for each in pod.containers.values() if each.exit
    ]
    return max(accepted, resumed, ctx.attempts.last_finished_at or accepted, *(end for end in finished if end))


def node_lost_condition(ctx: ReconcileContext) -> ConditionValue | None:
    """The condition of a pod that should have terminated long ago: Kubernetes does not replace it yet (VJ-16)."""
    pod = ctx.active_pod
    if pod is None or pod.deletion_deadline is None or ctx.now < pod.deletion_deadline + NODE_LOST_TIMEOUT:
        return None
    due = f"{pod.deletion_deadline:%Y-%m-%dT%H:%M:%SZ}"
    text = f"pod {pod.name} should have terminated at {due}, but node {pod.node} is not responding"
    taint = f"kubectl taint nodes {pod.node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
    return ConditionValue("False", "NodeLost", f"{text}; if the node will not come back: {taint}")


def time_until_node_lost(ctx: ReconcileContext) -> timedelta | None:
    """Time until a pod that is being deleted counts as lost; None if it is not being deleted."""
    pod = ctx.active_pod
    left = pod.deletion_deadline + NODE_LOST_TIMEOUT - ctx.now if pod and pod.deletion_deadline else None
    return left if left and left > timedelta(0) else None


def _name_taken_message(name: str, owner_kind: str) -> str:
    if owner_kind == "VideoJob":
        return f"Job {name} of an earlier VideoJob with this name is still being deleted"
    return f"a Job {name} exists and does not belong to this VideoJob: delete it, or choose another name"


def _no_job(ctx: ReconcileContext) -> Waiting:
    problem = ctx.creation_problem
    if problem is None:
        return Waiting("CreatingJob", "the Job is being created")
    quota = pod_creation.classify(problem.message) == "quota"
    return Waiting("QuotaExceeded" if quota else problem.reason, pod_creation.normalize_message(problem.message))


def _no_pod(ctx: ReconcileContext, job: ObservedJob) -> Waiting:
    """Pod Security and quotas reject pods without a trace in the Job, except its FailedCreate events."""
    refused = pod_creation.summarize_refusals(ctx.refusals, since=pending_since(ctx), now=ctx.now)
    if refused is None:
        return _not_served(ctx, job)
    text = f"the API server refuses the pod: {refused.message}"
    if refused.kind == "quota":
        return Waiting("QuotaExceeded", text)
    if refused.kind == "transient":
        return Waiting("PodCreationFailed", f"the API server could not create the pod: {refused.message}")
    lasting = refused.repeated_for >= ctx.settings.pod_refused_wait
    return Waiting("PodRefused", text, refused_at=ctx.now if lasting else None)


def _not_served(ctx: ReconcileContext, job: ObservedJob) -> Waiting:
    """No pod and no refusal: absence is no evidence, however long it lasts."""
    since = max(pending_since(ctx), job.started or job.created)
    waited = max(ctx.now - since, timedelta(0))
    is_replacement = bool(job.active or job.terminating or job.failed or ctx.pods)
    serves_others = ctx.newest_pod is not None and ctx.newest_pod > since
    text = pod_creation.no_pod_message(waited, is_replacement=is_replacement, serves_others=serves_others)
    hint = f"; when the Job was created the API server warned: {'; '.join(ctx.warnings)}" if ctx.warnings else ""
    if ctx.refusals_hidden:
        hint += "; if the pod is being rejected, the operator cannot see it: it may not list and watch events"
        return Waiting("NoPod", text + hint, requeue_after=EVENT_ACCESS_CHECK_INTERVAL)
    return Waiting("NoPod", text + hint, requeue_after=pod_creation.until_next_step(waited))


def _in_pod(ctx: ReconcileContext, pod: ObservedPod) -> Waiting:
    if pod.deletion_deadline:
        return Waiting("PodTerminating", f"pod {pod.name} is being deleted; its runner has not started")
    for name in (AGENT, FETCH, RUNNER):
        if wait := _container(ctx, pod, pod.container(name)):
            return wait
    return _scheduling(pod) or _sandbox(ctx, pod) or _starting(ctx, pod)


def _container(ctx: ReconcileContext, pod: ObservedPod, container: ObservedContainer) -> Waiting | None:
    kind = error_class(container)
    if not kind:
        return None
    timeout = ctx.settings.image_pull_wait if kind == "pull" else ctx.settings.config_error_wait
    refused = is_refusal(container) and container.failing_since
    return Waiting(
        "ImagePullFailed" if kind == "pull" else container.waiting_reason,
        f"container {container.name}: {container.waiting_message or container.waiting_reason}{_remedy(container)}",
        scheduled=_scheduled_at(pod),
        refused_at=refused + timeout if refused else None,
    )


def _remedy(container: ObservedContainer) -> str:
    root = "runAsNonRoot" in container.waiting_message or "non-numeric user" in container.waiting_message
    return "; set spec.pod.runAsUser to a number above 0, or use an image that does not run as root" if root else ""


def _scheduled_at(pod: ObservedPod) -> datetime | None:
    """When the pod was scheduled; None if it is not."""
    scheduled = pod.conditions.get("PodScheduled")
    if scheduled is None or scheduled.status != "True":
        return None
    return scheduled.last_transition_time or pod.created


def _scheduling(pod: ObservedPod) -> Waiting | None:
    scheduled = pod.conditions.get("PodScheduled")
    if scheduled is None:
        return Waiting("Unschedulable", "the scheduler has not processed the pod yet") if pod.node is None else None
    if scheduled.status == "True":
        return None
    message = scheduled.message.lower()
    volumes = "persistentvolume" in message or "volume node affinity" in message
    return Waiting("VolumesNotReady" if volumes else scheduled.reason or "Unschedulable", scheduled.message)


def _sandbox(ctx: ReconcileContext, pod: ObservedPod) -> Waiting | None:
    """Missing volumes: the reason is only in events of the pod, but its condition shows that it is not set up."""
    scheduled, ready = pod.conditions.get("PodScheduled"), pod.conditions.get("PodReadyToStartContainers")
    if ready is None or ready.status == "True" or scheduled is None or scheduled.last_transition_time is None:
        return None
    left = scheduled.last_transition_time + SANDBOX_TIMEOUT - ctx.now
    if left > timedelta(0):
        text = f"node {pod.node} is setting up the pod"
        return Waiting("ContainersStarting", text, scheduled=scheduled.last_transition_time, requeue_after=left)
    named = [f"Secret {name}" for name in secret_names(ctx.spec)] + [f"claim {name}" for name in claim_names(ctx.spec)]
    exist = f"; do these exist: {', '.join(named)}?" if named else ""
    text = f"node {pod.node} cannot set up the pod's volumes yet{exist}"
    return Waiting("VolumesNotReady", text, scheduled=scheduled.last_transition_time)


def _starting(ctx: ReconcileContext, pod: ObservedPod) -> Waiting:
    fetch, scheduled = pod.container(FETCH), _scheduled_at(pod) or pod.created
    if fetch.started_at and not fetch.exit:
        why = ctx.report.report.message if ctx.report else ""
        return Waiting("FetchingInputs", why or "fetch is downloading the inputs", scheduled=scheduled)
    container = next(
        (pod.container(name) for name in (AGENT, FETCH, RUNNER) if not pod.container(name).started_at), None
    )
    text = f"container {container.name} is about to start" if container else "about to start"
    return Waiting("ContainersStarting", text, scheduled=scheduled)

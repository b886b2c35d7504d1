"""The conditions of a VideoJob (VJ-29): in progress, with a verdict, and for a rejected spec."""

from collections.abc import Mapping
from datetime import timedelta

from videojob_operator.domain.conditions import ConditionValue
from videojob_operator.domain.names import RUNNER
from videojob_operator.domain.observation.context import ReconcileContext
from videojob_operator.domain.observation.observed import ObservedPod, SpecProblem
from videojob_operator.domain.observation.outcomes import fetch_result
from videojob_operator.domain.policies.completion import PUBLISH_FAILURE_REASONS
from videojob_operator.domain.policies.startup import Waiting, node_lost_condition
from videojob_operator.domain.policies.suspension import suspended_condition
from videojob_operator.domain.policies.verdict import Verdict

ACCEPTED = ConditionValue("True", "Valid", "the spec can be run")
IN_PROGRESS = ConditionValue("Unknown", "InProgress")
NOT_STALLED = ConditionValue("False", "NotStalled")
AWAITING_TERMINATION_MESSAGE = ConditionValue(
    "False", "RunnerEnded", "the Job has finished; waiting for the agent's final report"
)
NOT_PUBLISHED = ConditionValue("False", "NotPublished", "no manifest was committed")


def in_progress_conditions(ctx: ReconcileContext, wait: Waiting | None) -> Mapping[str, ConditionValue]:
    """The conditions without a verdict."""
    return {
        "Accepted": ACCEPTED,
        "Running": running_condition(ctx, wait),
        "Succeeded": IN_PROGRESS,
        "Suspended": suspended_condition(ctx),
        "Reconciling": _reconciling(ctx, wait),
        "Stalled": _stalled(wait),
        **_published(ctx),
        **_reporting(ctx),
    }


def final_conditions(ctx: ReconcileContext, verdict: Verdict) -> Mapping[str, ConditionValue]:
    """The conditions with a verdict."""
    success = ConditionValue("True" if verdict.succeeded else "False", verdict.reason, verdict.message)
    return {
        "Accepted": ACCEPTED,
        "Running": ConditionValue("False", "Finished"),
        "Succeeded": success,
        "Suspended": ConditionValue("False", "Finished"),
        "Reconciling": ConditionValue("False", "Finished"),
        "Stalled": NOT_STALLED if verdict.succeeded else ConditionValue("True", verdict.reason, verdict.message),
        "OutputPublished": _final_published(ctx),
        **_reporting(ctx),
    }


def rejected_conditions(problem: SpecProblem) -> Mapping[str, ConditionValue]:
    """The conditions of a rejected spec: nothing was or will be created."""
    rejected = ConditionValue("False", problem.reason, problem.message)
    return {
        "Accepted": rejected,
        "Running": ConditionValue("False", "Finished"),
        "Succeeded": rejected,
        "Reconciling": ConditionValue("False", "Finished"),
        "Stalled": ConditionValue("True", problem.reason, problem.message),
        "OutputPublished": NOT_PUBLISHED,
    }


def running_condition(ctx: ReconcileContext, wait: Waiting | None) -> ConditionValue:
    """The condition Running: True while the runner's container runs."""
    if fact := node_lost_condition(ctx):
        return fact
    if wait:
        return wait.condition
    pod = ctx.active_pod
    if pod is None:
        return ConditionValue("False", "Suspended") if ctx.job and ctx.job.suspend else AWAITING_TERMINATION_MESSAGE
    runner = pod.container(RUNNER)
    if runner.exit:
        return ConditionValue(
            "False", "RunnerEnded", f"exit code {runner.exit.code}; the agent is publishing the remaining files"
        )
    if not runner.started_at:
        return ConditionValue("False", "Suspended", f"pod {pod.name} is terminating")
    return ConditionValue("True", "RunnerStarted", f"pod {pod.name} on node {pod.node}{_resumed(pod)}")


def _resumed(pod: ObservedPod) -> str:
    """The restored step of an earlier attempt, for the message."""
    fetched = fetch_result(pod)
    step = fetched.resumed_step if fetched else None
    return "" if step is None else f", resumed after step {step} of an earlier attempt"


def _reconciling(ctx: ReconcileContext, wait: Waiting | None) -> ConditionValue:
    """
    True until the Job exists: minutes at most, so that tools waiting for a rollout do not wait for a render (VJ-38).
    """
    if ctx.job:
        return ConditionValue("False", "JobCreated", f"Job {ctx.job.name}")
    return ConditionValue("True", wait.reason if wait else "CreatingJob", wait.message if wait else "")


def _stalled(wait: Waiting | None) -> ConditionValue:
    taken = wait and wait.reason == "JobNameTaken"
    return ConditionValue("True", wait.reason, wait.message) if wait and taken else NOT_STALLED


def _published(ctx: ReconcileContext) -> Mapping[str, ConditionValue]:
    if ctx.output and ctx.manifest_digest:
        return {"OutputPublished": ConditionValue("True", "Published", f"manifest.json is at {ctx.output.url}")}
    report = ctx.termination_report or (ctx.report.report if ctx.report else None)
    if report and report.failure and report.failure.reason in PUBLISH_FAILURE_REASONS:
        return {
            "OutputPublished": ConditionValue(
                "False", "UploadFailed", f"{report.failure.reason}: {report.failure.message}"
            )
        }
    if ctx.output:
        return {
            "OutputPublished": ConditionValue("False", "Publishing", f"frames are being published to {ctx.output.url}")
        }
    return {}


def _final_published(ctx: ReconcileContext) -> ConditionValue:
    found = _published(ctx).get("OutputPublished")
    return found if found and found.reason != "Publishing" else NOT_PUBLISHED


def time_until_stale(ctx: ReconcileContext) -> timedelta | None:
    """Time until a running pod without reports is considered stale; None without an active pod."""
    if ctx.active_pod is None:
        return None
    started = ctx.active_pod.container(RUNNER).started_at
    end = started + ctx.settings.report_wait if started else None
    if ctx.report:
        end = ctx.report.received_at + ctx.settings.report_stale
    return end - ctx.now if end and end > ctx.now else None


def _reporting(ctx: ReconcileContext) -> Mapping[str, ConditionValue]:
    """The condition ProgressReporting; the previous value is kept until a new pod has had time to report."""
    pod = ctx.active_pod
    if ctx.report and pod and ctx.now > ctx.report.received_at + ctx.settings.report_stale:
        text = f"the last report was received at {ctx.report.received_at:%Y-%m-%dT%H:%M:%SZ}"
        return {"ProgressReporting": ConditionValue("False", "Stale", text)}
    if ctx.report:
        return {"ProgressReporting": ConditionValue("True", "Reporting")}
    started = pod.container(RUNNER).started_at if pod else None
    known = any(item.type == "ProgressReporting" and item.status == "True" for item in ctx.status.conditions)
    if started is None or ctx.now < started + ctx.settings.report_wait or (known and ctx.progress):
        return {}
    seconds = ctx.settings.report_wait.total_seconds()
    text = (
        f"no progress report from the pod for {seconds:.0f} s; check network policies between the pod and the operator"
    )
    return {"ProgressReporting": ConditionValue("False", "EndpointUnreachable", text)}

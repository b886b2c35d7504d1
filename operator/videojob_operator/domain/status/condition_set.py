"""The conditions of a VideoJob (VJ-29): facts by type, on the way, with a verdict, and for a spec that is refused."""

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
    "False", "RunnerEnded", "the Job has ended; its pod's last words are on their way"
)
NOT_PUBLISHED = ConditionValue("False", "NotPublished", "no manifest was committed")


def in_progress_conditions(case: ReconcileContext, wait: Waiting | None) -> Mapping[str, ConditionValue]:
    """The facts while there is no verdict."""
    return {
        "Accepted": ACCEPTED,
        "Running": running_condition(case, wait),
        "Succeeded": IN_PROGRESS,
        "Suspended": suspended_condition(case),
        "Reconciling": _reconciling(case, wait),
        "Stalled": _stalled(wait),
        **_published(case),
        **_reporting(case),
    }


def final_conditions(case: ReconcileContext, verdict: Verdict) -> Mapping[str, ConditionValue]:
    """The facts that come with a verdict."""
    success = ConditionValue("True" if verdict.succeeded else "False", verdict.reason, verdict.message)
    return {
        "Accepted": ACCEPTED,
        "Running": ConditionValue("False", "Finished"),
        "Succeeded": success,
        "Suspended": ConditionValue("False", "Finished"),
        "Reconciling": ConditionValue("False", "Finished"),
        "Stalled": NOT_STALLED if verdict.succeeded else ConditionValue("True", verdict.reason, verdict.message),
        "OutputPublished": _published_at_last(case),
        **_reporting(case),
    }


def rejected_conditions(problem: SpecProblem) -> Mapping[str, ConditionValue]:
    """The facts of a spec that cannot be run: nothing was created, and nothing will be."""
    no = ConditionValue("False", problem.reason, problem.message)
    return {
        "Accepted": no,
        "Running": ConditionValue("False", "Finished"),
        "Succeeded": no,
        "Reconciling": ConditionValue("False", "Finished"),
        "Stalled": ConditionValue("True", problem.reason, problem.message),
        "OutputPublished": NOT_PUBLISHED,
    }


def running_condition(case: ReconcileContext, wait: Waiting | None) -> ConditionValue:
    """Whether the runner's container is at work."""
    if fact := node_lost_condition(case):
        return fact
    if wait:
        return wait.condition
    pod = case.active_pod
    if pod is None:
        return ConditionValue("False", "Suspended") if case.job and case.job.suspend else AWAITING_TERMINATION_MESSAGE
    runner = pod.container(RUNNER)
    if runner.exit:
        return ConditionValue("False", "RunnerEnded", f"exit code {runner.exit.code}; the agent publishes what is left")
    if not runner.started_at:
        return ConditionValue("False", "Suspended", f"pod {pod.name} is ending")
    return ConditionValue("True", "RunnerStarted", f"pod {pod.name} on node {pod.node}{_resumed(pod)}")


def _resumed(pod: ObservedPod) -> str:
    """What fetch has brought back of an earlier attempt."""
    fetched = fetch_result(pod)
    step = fetched.resumed_step if fetched else None
    return "" if step is None else f", going on after step {step} of an earlier attempt"


def _reconciling(case: ReconcileContext, wait: Waiting | None) -> ConditionValue:
    """True until the Job is there: minutes at most, so that nobody's rollout waits for a render (VJ-38)."""
    if case.job:
        return ConditionValue("False", "JobCreated", f"Job {case.job.name}")
    return ConditionValue("True", wait.reason if wait else "CreatingJob", wait.message if wait else "")


def _stalled(wait: Waiting | None) -> ConditionValue:
    taken = wait and wait.reason == "JobNameTaken"
    return ConditionValue("True", wait.reason, wait.message) if wait and taken else NOT_STALLED


def _published(case: ReconcileContext) -> Mapping[str, ConditionValue]:
    if case.output and case.manifest_digest:
        return {"OutputPublished": ConditionValue("True", "Published", f"manifest.json lies at {case.output.url}")}
    told = case.termination_report or (case.report.report if case.report else None)
    if told and told.failure and told.failure.reason in PUBLISH_FAILURE_REASONS:
        return {
            "OutputPublished": ConditionValue("False", "UploadFailed", f"{told.failure.reason}: {told.failure.message}")
        }
    if case.output:
        return {
            "OutputPublished": ConditionValue("False", "Publishing", f"frames go to {case.output.url} as they are made")
        }
    return {}


def _published_at_last(case: ReconcileContext) -> ConditionValue:
    found = _published(case).get("OutputPublished")
    return found if found and found.reason != "Publishing" else NOT_PUBLISHED


def time_until_stale(case: ReconcileContext) -> timedelta | None:
    """When a running pod that says nothing will have had its time."""
    if case.active_pod is None:
        return None
    started = case.active_pod.container(RUNNER).started_at
    end = started + case.settings.report_wait if started else None
    if case.report:
        end = case.report.received_at + case.settings.report_stale
    return end - case.now if end and end > case.now else None


def _reporting(case: ReconcileContext) -> Mapping[str, ConditionValue]:
    """Whether progress arrives; what was known of an earlier pod stands until this one has had its time."""
    pod = case.active_pod
    if case.report and pod and case.now > case.report.received_at + case.settings.report_stale:
        text = f"the last report came at {case.report.received_at:%Y-%m-%dT%H:%M:%SZ}"
        return {"ProgressReporting": ConditionValue("False", "Stale", text)}
    if case.report:
        return {"ProgressReporting": ConditionValue("True", "Reporting")}
    started = pod.container(RUNNER).started_at if pod else None
    known = any(item.type == "ProgressReporting" and item.status == "True" for item in case.status.conditions)
    if started is None or case.now < started + case.settings.report_wait or (known and case.progress):
        return {}
    seconds = case.settings.report_wait.total_seconds()
    text = f"no report from the pod for {seconds:.0f} s: is its way to the operator open?"
    return {"ProgressReporting": ConditionValue("False", "EndpointUnreachable", text)}

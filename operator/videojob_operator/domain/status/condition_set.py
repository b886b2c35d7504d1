"""The conditions of a VideoJob (VJ-29): facts by type, on the way, with a verdict, and for a spec that is refused."""

from collections.abc import Mapping
from datetime import timedelta

from videojob_operator.domain.conditions import Fact
from videojob_operator.domain.observation.context import Case
from videojob_operator.domain.observation.observed import RUNNER, PodSeen, Problem
from videojob_operator.domain.observation.outcomes import fetch_result
from videojob_operator.domain.policies.completion import NOT_PUBLISHED, Verdict
from videojob_operator.domain.policies.startup import Wait, lost
from videojob_operator.domain.policies.suspension import suspended

ACCEPTED = Fact("True", "Valid", "the spec can be run")
IN_PROGRESS = Fact("Unknown", "InProgress")
NOT_STALLED = Fact("False", "NotStalled")
LAST_WORDS = Fact("False", "RunnerEnded", "the Job has ended; its pod's last words are on their way")
UNPUBLISHED = Fact("False", "NotPublished", "no manifest was committed")


def on_the_way(case: Case, wait: Wait | None) -> Mapping[str, Fact]:
    """The facts while there is no verdict."""
    return {
        "Accepted": ACCEPTED,
        "Running": running(case, wait),
        "Succeeded": IN_PROGRESS,
        "Suspended": suspended(case),
        "Reconciling": _reconciling(case, wait),
        "Stalled": _stalled(wait),
        **_published(case),
        **_reporting(case),
    }


def at_the_end(case: Case, verdict: Verdict) -> Mapping[str, Fact]:
    """The facts that come with a verdict."""
    success = Fact("True" if verdict.succeeded else "False", verdict.reason, verdict.message)
    return {
        "Accepted": ACCEPTED,
        "Running": Fact("False", "Finished"),
        "Succeeded": success,
        "Suspended": Fact("False", "Finished"),
        "Reconciling": Fact("False", "Finished"),
        "Stalled": NOT_STALLED if verdict.succeeded else Fact("True", verdict.reason, verdict.message),
        "OutputPublished": _published_at_last(case),
        **_reporting(case),
    }


def refused(problem: Problem) -> Mapping[str, Fact]:
    """The facts of a spec that cannot be run: nothing was created, and nothing will be."""
    no = Fact("False", problem.reason, problem.message)
    return {
        "Accepted": no,
        "Running": Fact("False", "Finished"),
        "Succeeded": no,
        "Reconciling": Fact("False", "Finished"),
        "Stalled": Fact("True", problem.reason, problem.message),
        "OutputPublished": UNPUBLISHED,
    }


def running(case: Case, wait: Wait | None) -> Fact:
    """Whether the runner's container is at work."""
    if fact := lost(case):
        return fact
    if wait:
        return wait.fact
    pod = case.live_pod
    if pod is None:
        return Fact("False", "Suspended") if case.job and case.job.suspend else LAST_WORDS
    runner = pod.container(RUNNER)
    if runner.exit:
        return Fact("False", "RunnerEnded", f"exit code {runner.exit.code}; the agent publishes what is left")
    if not runner.started:
        return Fact("False", "Suspended", f"pod {pod.name} is ending")
    return Fact("True", "RunnerStarted", f"pod {pod.name} on node {pod.node}{_resumed(pod)}")


def _resumed(pod: PodSeen) -> str:
    """What fetch has brought back of an earlier attempt."""
    fetched = fetch_result(pod)
    step = fetched.resumed_step if fetched else None
    return "" if step is None else f", going on after step {step} of an earlier attempt"


def _reconciling(case: Case, wait: Wait | None) -> Fact:
    """True until the Job is there: minutes at most, so that nobody's rollout waits for a render (VJ-38)."""
    if case.job:
        return Fact("False", "JobCreated", f"Job {case.job.name}")
    return Fact("True", wait.reason if wait else "CreatingJob", wait.message if wait else "")


def _stalled(wait: Wait | None) -> Fact:
    taken = wait and wait.reason == "JobNameTaken"
    return Fact("True", wait.reason, wait.message) if wait and taken else NOT_STALLED


def _published(case: Case) -> Mapping[str, Fact]:
    if case.output and case.digest:
        return {"OutputPublished": Fact("True", "Published", f"manifest.json lies at {case.output.url}")}
    told = case.words or (case.report.report if case.report else None)
    if told and told.failure and told.failure.reason in NOT_PUBLISHED:
        return {"OutputPublished": Fact("False", "UploadFailed", f"{told.failure.reason}: {told.failure.message}")}
    if case.output:
        return {"OutputPublished": Fact("False", "Publishing", f"frames go to {case.output.url} as they are made")}
    return {}


def _published_at_last(case: Case) -> Fact:
    found = _published(case).get("OutputPublished")
    return found if found and found.reason != "Publishing" else UNPUBLISHED


def until_silent(case: Case) -> timedelta | None:
    """When a running pod that says nothing will have had its time."""
    if case.live_pod is None:
        return None
    started = case.live_pod.container(RUNNER).started
    end = started + case.settings.report_wait if started else None
    if case.report:
        end = case.report.received + case.settings.report_stale
    return end - case.now if end and end > case.now else None


def _reporting(case: Case) -> Mapping[str, Fact]:
    """Whether progress arrives; what was known of an earlier pod stands until this one has had its time."""
    pod = case.live_pod
    if case.report and pod and case.now > case.report.received + case.settings.report_stale:
        text = f"the last report came at {case.report.received:%Y-%m-%dT%H:%M:%SZ}"
        return {"ProgressReporting": Fact("False", "Stale", text)}
    if case.report:
        return {"ProgressReporting": Fact("True", "Reporting")}
    started = pod.container(RUNNER).started if pod else None
    known = any(item.type == "ProgressReporting" and item.status == "True" for item in case.status.conditions)
    if started is None or case.now < started + case.settings.report_wait or (known and case.progress):
        return {}
    seconds = case.settings.report_wait.total_seconds()
    text = f"no report from the pod for {seconds:.0f} s: is its way to the operator open?"
    return {"ProgressReporting": Fact("False", "EndpointUnreachable", text)}

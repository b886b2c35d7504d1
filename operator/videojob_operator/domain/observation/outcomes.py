"""
Classifies how a pod finished: reason, message, and who is responsible.

The first match applies: a disruption (caused by the cluster, not counted), the pod's own reason (Evicted …), fetch, the
runner. A failure in a termination message takes precedence; for a custom runner the last lines of its log are used.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from pydantic import ValidationError
from videojob_api.contract.exit_codes import ExitCode
from videojob_api.messages.report import Failure, FetchResult, Report

from videojob_operator.domain.names import FETCH, RUNNER
from videojob_operator.domain.observation.observed import ContainerExit, ObservedPod
from videojob_operator.domain.observation.progress import termination_report
from videojob_operator.domain.text import sanitize, to_reason

LOG_TAIL_CHARS = 600
"""Maximum characters of a custom container's last output in a condition."""

REASON_BY_RUNNER_EXIT_CODE = {
    ExitCode.BAD_CONFIG: "BadConfig",
    ExitCode.BAD_INPUT: "BadInput",
    ExitCode.UNSAFE_CHECKPOINT: "UnsafeCheckpoint",
    ExitCode.NOT_PUBLISHED: "OutputNotPublished",
    ExitCode.INTERRUPTED: "Interrupted",
}
REASON_BY_FETCH_EXIT_CODE = {ExitCode.BAD_CONFIG: "BadConfig", ExitCode.BAD_INPUT: "BadInput"}


class FaultClass(Enum):
    """Who is responsible for a pod's end: nobody, the job itself (retriable), or the cluster (disruption)."""

    NOBODY = "nobody"
    """It succeeded, or was suspended."""
    OWN = "own"
    """Counted against `retry.limit` by the Job controller."""
    CLUSTER = "cluster"
    """Counted against `retry.maxDisruptions` by the operator."""


@dataclass(frozen=True, slots=True)
class PodOutcome:
    """How one pod finished."""

    reason: str
    message: str
    fault: FaultClass = FaultClass.OWN
    exit_code: int | None = None
    finished: datetime | None = None


def pod_outcome(pod: ObservedPod, *, uid: str, report: Report | None, suspended: bool) -> PodOutcome | None:
    """The outcome of a pod; None while it has not terminated. `report` is the newest one pushed from it."""
    disruption = pod.conditions.get("DisruptionTarget")
    if not pod.is_terminal:
        return None
    if pod.phase == "Succeeded":
        return PodOutcome("Completed", "", FaultClass.NOBODY, exit_code=0, finished=_finished(pod, RUNNER))
    if disruption and disruption.status == "True":
        reason = to_reason(disruption.reason, otherwise="Disrupted")
        return PodOutcome(
            reason, disruption.message, FaultClass.CLUSTER, _code(pod), finished=disruption.last_transition_time
        )
    if pod.deleted and suspended:
        return PodOutcome("Suspended", "", FaultClass.NOBODY, _code(pod))
    if pod.reason:
        text = f"pod {pod.name}: {sanitize(pod.message, LOG_TAIL_CHARS)}"
        return PodOutcome(to_reason(pod.reason, otherwise="PodFailed"), text, exit_code=_code(pod))
    return _container_ending(pod, uid=uid, report=report) or _without_reason(pod)


def _container_ending(pod: ObservedPod, *, uid: str, report: Report | None) -> PodOutcome | None:
    fetch, runner = pod.container(FETCH).exit, pod.container(RUNNER).exit
    if fetch and fetch.code:
        return _out_of_memory(fetch, FETCH) or _fetch_ending(fetch)
    if runner and (runner.code or not pod.deleted):
        final_report = termination_report(pod, uid=uid) or report
        return _out_of_memory(runner, RUNNER) or _runner_ending(runner, final_report.failure if final_report else None)
    return None


def _without_reason(pod: ObservedPod) -> PodOutcome:
    if pod.deleted:
        return PodOutcome("PodDeleted", f"pod {pod.name} was deleted before it finished")
    return PodOutcome("PodFailed", f"pod {pod.name} failed without a reason: {sanitize(pod.message, LOG_TAIL_CHARS)}")


def _out_of_memory(end: ContainerExit, container: str) -> PodOutcome | None:
    if end.reason != "OOMKilled":
        return None
    remedy = "raise spec.runner.resources.limits.memory" if container == RUNNER else "give smaller inputs"
    text = f"the {container} was killed for using more memory than its limit: {remedy}"
    return PodOutcome("OutOfMemory", text, exit_code=end.code, finished=end.finished_at)


def _fetch_ending(end: ContainerExit) -> PodOutcome:
    otherwise = (
        REASON_BY_FETCH_EXIT_CODE.get(ExitCode(end.code), "FetchFailed") if end.code in set(ExitCode) else "FetchFailed"
    )
    result = _fetch_result(end)
    failure = result.failure if result else None
    reason, detail = (
        (failure.reason, failure.message)
        if failure
        else (otherwise, sanitize(end.message[-LOG_TAIL_CHARS:], LOG_TAIL_CHARS))
    )
    text = f"fetch exited with exit code {end.code}: {detail}"
    return PodOutcome(reason, text, exit_code=end.code, finished=end.finished_at)


def fetch_result(pod: ObservedPod) -> FetchResult | None:
    """Parsed termination message of the fetch container; None while it runs or if it wrote none."""
    end = pod.container(FETCH).exit
    return _fetch_result(end) if end else None


def _fetch_result(end: ContainerExit) -> FetchResult | None:
    try:
        return FetchResult.model_validate_json(end.message)
    except ValidationError:
        return None


def _runner_ending(end: ContainerExit, failure: Failure | None) -> PodOutcome:
    reason = (
        REASON_BY_RUNNER_EXIT_CODE.get(ExitCode(end.code), "RunnerFailed")
        if end.code in set(ExitCode)
        else "RunnerFailed"
    )
    detail = failure_message(failure) if failure else sanitize(end.message[-LOG_TAIL_CHARS:], LOG_TAIL_CHARS)
    text = f"the runner exited with exit code {end.code}" + (f": {detail}" if detail else "")
    return PodOutcome(reason, text, exit_code=end.code, finished=end.finished_at)


def failure_message(failure: Failure) -> str:
    """A failure as one line."""
    return sanitize(f"{failure.reason}: {failure.message}" if failure.message else failure.reason, 1000)


def _code(pod: ObservedPod) -> int | None:
    end = pod.container(RUNNER).exit or pod.container(FETCH).exit
    return end.code if end else None


def _finished(pod: ObservedPod, container: str) -> datetime | None:
    end = pod.container(container).exit
    return end.finished_at if end else None

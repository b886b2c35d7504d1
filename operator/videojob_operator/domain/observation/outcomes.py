"""
How a pod ended, in a word and a sentence.

The first that applies: a disruption (the cluster's doing, not counted), the pod's own reason (Evicted …), fetch, the
runner. Where one of our containers says why in its termination message, its words are used; a foreign runner's last
log lines otherwise.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from pydantic import ValidationError
from videojob_api.contract.exit_codes import ExitCode
from videojob_api.messages.report import Failure, FetchResult, Report

from videojob_operator.domain.conditions import clean, word
from videojob_operator.domain.observation.observed import FETCH, RUNNER, Exit, PodSeen
from videojob_operator.domain.observation.progress import last_words

TAIL = 600
"""Characters of a foreign container's last output that are worth a place in a condition."""

RUNNER_CODES = {
    ExitCode.BAD_CONFIG: "BadConfig",
    ExitCode.BAD_INPUT: "BadInput",
    ExitCode.UNSAFE_CHECKPOINT: "UnsafeCheckpoint",
    ExitCode.NOT_PUBLISHED: "OutputNotPublished",
    ExitCode.INTERRUPTED: "Interrupted",
}
FETCH_CODES = {ExitCode.BAD_CONFIG: "BadConfig", ExitCode.BAD_INPUT: "BadInput"}


class Fault(Enum):
    """Whose doing an end was."""

    NOBODY = "nobody"
    """It succeeded, or was suspended."""
    OWN = "own"
    """Counted against `retry.limit` by the Job controller."""
    CLUSTER = "cluster"
    """Counted against `retry.maxDisruptions` by us."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one pod."""

    reason: str
    message: str
    fault: Fault = Fault.OWN
    exit_code: int | None = None
    finished: datetime | None = None


def ending(pod: PodSeen, *, uid: str, report: Report | None, suspended: bool) -> Ending | None:
    """How the pod ended; None while it has not. `report` is the newest one pushed from it."""
    disruption = pod.conditions.get("DisruptionTarget")
    if not pod.ended:
        return None
    if pod.phase == "Succeeded":
        return Ending("Completed", "", Fault.NOBODY, exit_code=0, finished=_finished(pod, RUNNER))
    if disruption and disruption.status == "True":
        reason = word(disruption.reason, otherwise="Disrupted")
        return Ending(reason, disruption.message, Fault.CLUSTER, _code(pod), finished=disruption.since)
    if pod.gone and suspended:
        return Ending("Suspended", "", Fault.NOBODY, _code(pod))
    if pod.reason:
        text = f"pod {pod.name}: {clean(pod.message, TAIL)}"
        return Ending(word(pod.reason, otherwise="PodFailed"), text, exit_code=_code(pod))
    return _container_ending(pod, uid=uid, report=report) or _without_words(pod)


def _container_ending(pod: PodSeen, *, uid: str, report: Report | None) -> Ending | None:
    fetch, runner = pod.container(FETCH).exit, pod.container(RUNNER).exit
    if fetch and fetch.code:
        return _out_of_memory(fetch, FETCH) or _fetch_ending(fetch)
    if runner and (runner.code or not pod.gone):
        told = last_words(pod, uid=uid) or report
        return _out_of_memory(runner, RUNNER) or _runner_ending(runner, told.failure if told else None)
    return None


def _without_words(pod: PodSeen) -> Ending:
    if pod.gone:
        return Ending("PodDeleted", f"pod {pod.name} was deleted before it ended")
    return Ending("PodFailed", f"pod {pod.name} failed without saying why: {clean(pod.message, TAIL)}")


def _out_of_memory(end: Exit, container: str) -> Ending | None:
    if end.reason != "OOMKilled":
        return None
    remedy = "raise spec.runner.resources.limits.memory" if container == RUNNER else "give smaller inputs"
    text = f"the {container} was killed for using more memory than its limit: {remedy}"
    return Ending("OutOfMemory", text, exit_code=end.code, finished=end.finished)


def _fetch_ending(end: Exit) -> Ending:
    otherwise = FETCH_CODES.get(ExitCode(end.code), "FetchFailed") if end.code in set(ExitCode) else "FetchFailed"
    result = _fetch_result(end)
    failure = result.failure if result else None
    reason, told = (failure.reason, failure.message) if failure else (otherwise, clean(end.message[-TAIL:], TAIL))
    text = f"fetch ended with exit code {end.code}: {told}"
    return Ending(reason, text, exit_code=end.code, finished=end.finished)


def fetch_result(pod: PodSeen) -> FetchResult | None:
    """What fetch says it has done; None while it has not ended, or when it left no words."""
    end = pod.container(FETCH).exit
    return _fetch_result(end) if end else None


def _fetch_result(end: Exit) -> FetchResult | None:
    try:
        return FetchResult.model_validate_json(end.message)
    except ValidationError:
        return None


def _runner_ending(end: Exit, failure: Failure | None) -> Ending:
    reason = RUNNER_CODES.get(ExitCode(end.code), "RunnerFailed") if end.code in set(ExitCode) else "RunnerFailed"
    told = said(failure) if failure else clean(end.message[-TAIL:], TAIL)
    text = f"the runner ended with exit code {end.code}" + (f": {told}" if told else "")
    return Ending(reason, text, exit_code=end.code, finished=end.finished)


def said(failure: Failure) -> str:
    """A failure in one line."""
    return clean(f"{failure.reason}: {failure.message}" if failure.message else failure.reason, 1000)


def _code(pod: PodSeen) -> int | None:
    end = pod.container(RUNNER).exit or pod.container(FETCH).exit
    return end.code if end else None


def _finished(pod: PodSeen, container: str) -> datetime | None:
    end = pod.container(container).exit
    return end.finished if end else None

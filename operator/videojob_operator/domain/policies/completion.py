"""
Verdicts: the one place where a VideoJob is declared done or failed (DESIGN §6).

Exit code 0 is no evidence: a sidecar's failure does not show in it. A VideoJob has succeeded when its Job is complete
*and* a manifest of this very VideoJob was committed. What waits for ever in Kubernetes gets a verdict elsewhere
(`waiting`); a verdict is never taken back.
"""

from datetime import timedelta

from videojob_api.messages.report import Failure, ProgressState
from videojob_api.resource.status import OutputStatus

from videojob_operator.domain.names import AGENT, RUNNER
from videojob_operator.domain.observation.context import ReconcileContext
from videojob_operator.domain.observation.observed import ObservedCondition
from videojob_operator.domain.observation.outcomes import failure_message
from videojob_operator.domain.policies.failure_policy import evaluate_disruptions, evaluate_failure
from videojob_operator.domain.policies.verdict import (
    ASK_AGAIN,
    Evaluation,
    NoVerdict,
    Verdict,
    awaits_termination_message,
)

PUBLISH_FAILURE_REASONS = frozenset(
    {
        "AgentFailed",
        "AlreadyCommitted",
        "BucketNotFound",
        "CredentialsRefused",
        "EndpointUnreachable",
        "NotPublished",
        "OutputNotReadable",
        "OutputNotWritable",
        "OutputOccupied",
        "ScratchFailed",
        "ScratchFull",
        "StorageRefused",
    }
)
"""The agent's own reasons: the pictures were made, but could not be stored."""

PUBLISHING_STATES = frozenset({ProgressState.FINISHING, ProgressState.DONE})
"""The frames are made; our runner's container lives on until the agent has published them."""


def evaluate_completion(case: ReconcileContext) -> Evaluation:
    """What the Job, the evidence and the counts say."""
    if case.job and (complete := case.job.complete_condition):
        return _complete(case, complete)
    if case.job and (failure := case.job.failed_condition):
        return evaluate_failure(case, failure)
    if case.job is None and case.output and case.manifest_digest:
        return _published(case.output)
    return evaluate_disruptions(case) or _progress_deadline(case)


def _complete(case: ReconcileContext, complete: ObservedCondition) -> Evaluation:
    if case.output and case.manifest_digest:
        return _published(case.output)
    if awaits_termination_message(case):
        return NoVerdict(ASK_AGAIN)
    failure = _reported_failure(case)
    if failure is None:
        return Verdict(False, "OutputNotPublished", _no_evidence(case))
    if failure.reason in PUBLISH_FAILURE_REASONS:
        return Verdict(False, "OutputNotPublished", failure_message(failure))
    return Verdict(False, "RunnerFailed", failure_message(failure))


def _published(output: OutputStatus) -> Verdict:
    videos = ", ".join(output.videos) or "no video"
    return Verdict(True, "Completed", f"{videos} and {output.frames} frames lie at {output.url}")


def _reported_failure(case: ReconcileContext) -> Failure | None:
    """What the newest pod's agent says went wrong, by its last words or else its newest report."""
    told = case.termination_report or (case.report.report if case.report else None)
    if told and (told.failure or told.state is ProgressState.FAILED):
        return told.failure or Failure(reason="Failed", message="STATUS says FAILED")
    return None


def _no_evidence(case: ReconcileContext) -> str:
    place = case.output.url if case.output else "the output"
    ended = case.pod.container(AGENT).exit if case.pod else None
    agent = f"the agent ended with exit code {ended.code}" if ended else "its agent left no word"
    return f"the Job is complete, but nobody has seen a manifest: {agent}; look at {place} before running it again"


def _progress_deadline(case: ReconcileContext) -> Evaluation:
    """
    A runner that reports again and again without any change stands still. Silence is not judged, since its cause may
    be the way to this operator; nor is the wait of a finished output for its store, which has a deadline of its own.
    """
    limit = case.spec.deadlines.progress_seconds
    running = (
        case.active_pod and case.active_pod.container(RUNNER).started_at and not case.active_pod.container(RUNNER).exit
    )
    report = case.report
    if limit is None or not running or report is None or (case.job and case.job.suspend):
        return NoVerdict()
    if report.report.state in PUBLISHING_STATES or report.received_at - report.progressed_at < timedelta(seconds=limit):
        return NoVerdict()
    text = f"no change of progress for {limit} s (spec.deadlines.progressSeconds), at {report.report.percent} %"
    return Verdict(False, "ProgressDeadlineExceeded", text)

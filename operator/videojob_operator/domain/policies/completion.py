"""
The verdict: the one place where a VideoJob is declared succeeded or failed (DESIGN §6).

Exit code 0 is no evidence: it does not reflect failures of the sidecar. A VideoJob has succeeded when its Job is
complete *and* a manifest of this very VideoJob was committed. States in which Kubernetes would wait without end are
ended by `startup`. A verdict is final.
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
    POD_READ_INTERVAL,
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
"""Reasons of the agent: the frames were made, but could not be stored."""

PUBLISHING_STATES = frozenset({ProgressState.FINISHING, ProgressState.DONE})
"""States after the last frame; the built-in runner's container runs until the agent has published."""


def evaluate_completion(ctx: ReconcileContext) -> Evaluation:
    """Evaluate the Job, the evidence, the disruptions and the progress deadline."""
    if ctx.job and (complete := ctx.job.complete_condition):
        return _complete(ctx, complete)
    if ctx.job and (failure := ctx.job.failed_condition):
        return evaluate_failure(ctx, failure)
    if ctx.job is None and ctx.output and ctx.manifest_digest:
        return _published(ctx.output)
    return evaluate_disruptions(ctx) or _progress_deadline(ctx)


def _complete(ctx: ReconcileContext, complete: ObservedCondition) -> Evaluation:
    if ctx.output and ctx.manifest_digest:
        return _published(ctx.output)
    if awaits_termination_message(ctx):
        return NoVerdict(POD_READ_INTERVAL)
    failure = _reported_failure(ctx)
    if failure is None:
        return Verdict(False, "OutputNotPublished", _no_evidence(ctx))
    if failure.reason in PUBLISH_FAILURE_REASONS:
        return Verdict(False, "OutputNotPublished", failure_message(failure))
    return Verdict(False, "RunnerFailed", failure_message(failure))


def _published(output: OutputStatus) -> Verdict:
    videos = ", ".join(output.videos) or "no video"
    return Verdict(True, "Completed", f"published {videos} and {output.frames} frames at {output.url}")


def _reported_failure(ctx: ReconcileContext) -> Failure | None:
    """The failure in the newest pod's termination message, or else in its newest report."""
    report = ctx.termination_report or (ctx.report.report if ctx.report else None)
    if report and (report.failure or report.state is ProgressState.FAILED):
        return report.failure or Failure(reason="Failed", message="the runner reported FAILED")
    return None


def _no_evidence(ctx: ReconcileContext) -> str:
    url = ctx.output.url if ctx.output else "the output"
    agent_exit = ctx.pod.container(AGENT).exit if ctx.pod else None
    agent_text = (
        f"the agent exited with exit code {agent_exit.code}" if agent_exit else "the agent left no termination message"
    )
    return (
        f"the Job completed without a published manifest ({agent_text}); check {url} before creating the VideoJob again"
    )


def _progress_deadline(ctx: ReconcileContext) -> Evaluation:
    """
    Fail a runner that keeps reporting without any change.

    Missing reports are not evaluated, because the network to this operator may be the cause; nor is a finished output
    that waits for its store, which has a deadline of its own.
    """
    limit = ctx.spec.deadlines.progress_seconds
    running = (
        ctx.active_pod and ctx.active_pod.container(RUNNER).started_at and not ctx.active_pod.container(RUNNER).exit
    )
    report = ctx.report
    if limit is None or not running or report is None or (ctx.job and ctx.job.suspend):
        return NoVerdict()
    if report.report.state in PUBLISHING_STATES or report.received_at - report.progressed_at < timedelta(seconds=limit):
        return NoVerdict()
    text = f"no progress for {limit} s (spec.deadlines.progressSeconds), at {report.report.percent} %"
    return Verdict(False, "ProgressDeadlineExceeded", text)

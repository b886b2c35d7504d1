"""
Failures and disruptions: when they end a VideoJob.

The Job controller counts failed attempts (`backoffLimit`) and applies the Job's pod failure policy
(`manifests.job.pod_failure_policy`); disruptions it ignores without limit, so they are limited here.
"""

from videojob_operator.domain.observation.context import ReconcileContext
from videojob_operator.domain.observation.observed import ObservedCondition
from videojob_operator.domain.observation.outcomes import FaultClass, PodOutcome
from videojob_operator.domain.policies.verdict import (
    POD_READ_INTERVAL,
    Evaluation,
    NoVerdict,
    Verdict,
    awaits_termination_message,
)


def evaluate_failure(ctx: ReconcileContext, failure: ObservedCondition) -> Evaluation:
    """Evaluate a Job whose `Failed` condition is True, which is `failure`."""
    if failure.reason == "DeadlineExceeded":
        limit = ctx.spec.deadlines.active_seconds
        text = f"the Job ran longer than spec.deadlines.activeSeconds allows ({limit} s)"
        return Verdict(False, "DeadlineExceeded", text)
    if awaits_termination_message(ctx):
        return NoVerdict(POD_READ_INTERVAL)
    last = _last_retriable(ctx)
    if last is None:
        return Verdict(False, failure.reason or "JobFailed", failure.message)
    return Verdict(False, last.reason, _attempts(ctx) + last.message)


def _last_retriable(ctx: ReconcileContext) -> PodOutcome | None:
    """The newest outcome that counts as a retry: why the Job controller gave up."""
    outcomes = [end for end in ctx.outcomes if end and end.fault is FaultClass.OWN]
    return outcomes[-1] if outcomes else None


def _attempts(ctx: ReconcileContext) -> str:
    count = ctx.job.failed if ctx.job else 0
    return f"{count} attempts failed (spec.retry.limit {ctx.spec.retry.limit}), the last one: " if count > 1 else ""


def evaluate_disruptions(ctx: ReconcileContext) -> Verdict | None:
    """The verdict when the job was disrupted more often than `spec.retry.maxDisruptions` allows."""
    if ctx.disruptions <= ctx.spec.retry.max_disruptions:
        return None
    return Verdict(False, "TooManyDisruptions", _disruptions(ctx))


def _disruptions(ctx: ReconcileContext) -> str:
    outcomes = [end for end in ctx.outcomes if end and end.fault is FaultClass.CLUSTER]
    last = f"; the last one: {outcomes[-1].reason} {outcomes[-1].message}" if outcomes else ""
    limit = ctx.spec.retry.max_disruptions
    return f"disrupted {ctx.disruptions} times, more than spec.retry.maxDisruptions allows ({limit}){last}"

"""
Failures and disruptions: when they end a VideoJob.

The Job controller counts failed attempts (`backoffLimit`) and applies the Job's pod failure policy
(`manifests.job.pod_failure_policy`); disruptions it ignores without limit, so they are limited here.
"""

from videojob_operator.domain.observation.context import ReconcileContext
from videojob_operator.domain.observation.observed import ObservedCondition
from videojob_operator.domain.observation.outcomes import FaultClass, PodOutcome
from videojob_operator.domain.policies.verdict import (
    ASK_AGAIN,
    Evaluation,
    NoVerdict,
    Verdict,
    awaits_termination_message,
)


def evaluate_failure(case: ReconcileContext, failure: ObservedCondition) -> Evaluation:
    """Evaluate a Job whose `Failed` condition is True, which is `failure`."""
    if failure.reason == "DeadlineExceeded":
        limit = case.spec.deadlines.active_seconds
        text = f"the Job ran longer than spec.deadlines.activeSeconds allows ({limit} s)"
        return Verdict(False, "DeadlineExceeded", text)
    if awaits_termination_message(case):
        return NoVerdict(ASK_AGAIN)
    last = _last_retriable(case)
    if last is None:
        return Verdict(False, failure.reason or "JobFailed", failure.message)
    return Verdict(False, last.reason, _attempts(case) + last.message)


def _last_retriable(case: ReconcileContext) -> PodOutcome | None:
    """The newest end that counts: why the Job controller has given up."""
    ends = [end for end in case.outcomes if end and end.fault is FaultClass.OWN]
    return ends[-1] if ends else None


def _attempts(case: ReconcileContext) -> str:
    count = case.job.failed if case.job else 0
    return f"{count} attempts failed (spec.retry.limit {case.spec.retry.limit}), the last one: " if count > 1 else ""


def evaluate_disruptions(case: ReconcileContext) -> Verdict | None:
    """The verdict when the job was disrupted more often than `spec.retry.maxDisruptions` allows."""
    if case.disruptions <= case.spec.retry.max_disruptions:
        return None
    return Verdict(False, "TooManyDisruptions", _disruptions(case))


def _disruptions(case: ReconcileContext) -> str:
    ends = [end for end in case.outcomes if end and end.fault is FaultClass.CLUSTER]
    last = f"; the last one: {ends[-1].reason} {ends[-1].message}" if ends else ""
    most = case.spec.retry.max_disruptions
    return f"disrupted {case.disruptions} times, more than spec.retry.maxDisruptions allows ({most}){last}"

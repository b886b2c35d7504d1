"""
The decision function: an observation and a clock become a Decision. Read this module first.

1. VideoJobs of another controller, or being deleted, are left alone; finished ones are only cleaned up.

2. A spec that cannot be run is rejected before anything is created.

3. The verdict, if the Job, the evidence and the deadlines give one.

4. Otherwise the next step: create the Job, propagate suspension, or wait and report the reason.

Nothing is remembered between two calls except the status.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from videojob_api.resource.status import AttemptStatus, VideoJobStatus

from videojob_operator.domain.conditions import ConditionValue, is_finished, merge_conditions
from videojob_operator.domain.decision import Action, CreateJob, Decision, DeleteJob
from videojob_operator.domain.manifests.job import job_manifest
from videojob_operator.domain.observation.context import ReconcileContext, build_context
from videojob_operator.domain.observation.observed import CONTROLLER_NAME, Observed, ObservedVideoJob, SpecProblem
from videojob_operator.domain.policies.acceptance import find_problem
from videojob_operator.domain.policies.completion import evaluate_completion
from videojob_operator.domain.policies.startup import Waiting, check_startup_timeout, find_waiting, time_until_node_lost
from videojob_operator.domain.policies.suspension import sync_actions
from videojob_operator.domain.policies.verdict import Verdict
from videojob_operator.domain.settings import ReconcileSettings
from videojob_operator.domain.status.condition_set import (
    final_conditions,
    in_progress_conditions,
    rejected_conditions,
    time_until_stale,
)
from videojob_operator.domain.status.display_state import display_state
from videojob_operator.domain.status.events import completion_events, diff_events

MIN_REQUEUE = timedelta(seconds=1)
"""Shortest time between two decisions about one VideoJob that nothing has changed."""


def decide(observed: Observed, *, now: datetime, settings: ReconcileSettings) -> Decision:
    """The decision for one VideoJob. `now` is timezone-aware; total: every observation has a decision."""
    videojob = observed.videojob
    if videojob.deleting or videojob.managed_by != CONTROLLER_NAME:
        return Decision(status=videojob.status)
    if is_finished(videojob.status):
        return _finished(observed, now=now)
    if videojob.spec is None:
        return _unparsable_spec(observed, now=now)
    ctx = build_context(observed, videojob.spec, now=now, settings=settings)
    if problem := _find_problem(ctx):
        return _refuse(videojob, problem, now=now)
    return _decide(ctx)


def _decide(ctx: ReconcileContext) -> Decision:
    evaluation, wait = evaluate_completion(ctx), find_waiting(ctx)
    if isinstance(evaluation, Verdict):
        return _end(ctx, evaluation)
    startup = check_startup_timeout(ctx, wait) if wait else None
    if isinstance(startup, Verdict):
        return _end(ctx, startup)
    creation_retry = ctx.settings.creation_retry if ctx.job is None else None
    due = (evaluation.requeue_after, startup, time_until_node_lost(ctx), time_until_stale(ctx), creation_retry)
    return _continue(ctx, wait, requeue_after=min_requeue(*due))


def _find_problem(ctx: ReconcileContext) -> SpecProblem | None:
    """Why no Job can be created; an existing Job is not questioned."""
    if ctx.job or ctx.manifest_digest:
        return None
    if ctx.creation_problem and ctx.creation_problem.permanent:
        return ctx.creation_problem
    return find_problem(ctx.ref, ctx.spec, ctx.settings)


def min_requeue(*due: timedelta | None) -> timedelta | None:
    """The earliest of the times that are not None, at least `MIN_REQUEUE`; None when all are."""
    earliest = min((each for each in due if each is not None), default=None)
    return None if earliest is None else max(earliest, MIN_REQUEUE)


def _continue(ctx: ReconcileContext, wait: Waiting | None, *, requeue_after: timedelta | None) -> Decision:
    status = _status(ctx, in_progress_conditions(ctx, wait))
    return Decision(
        status=status,
        actions=(*_create_actions(ctx), *sync_actions(ctx), *diff_events(ctx, status)),
        requeue_after=requeue_after,
    )


def _create_actions(ctx: ReconcileContext) -> tuple[Action, ...]:
    if ctx.job or ctx.conflicting_job:
        return ()
    return (CreateJob(job_manifest(ctx.ref, ctx.spec, ctx.settings)),)


def _end(ctx: ReconcileContext, verdict: Verdict) -> Decision:
    closed = replace(ctx, attempts=replace(ctx.attempts, attempts=_close_attempts(ctx, verdict)))
    status = _status(closed, final_conditions(closed, verdict))
    status = status.model_copy(update={"completion_time": ctx.now.replace(microsecond=0)})
    return Decision(status=status, actions=(*_cleanup_actions(ctx, verdict.reason), *diff_events(ctx, status)))


def _close_attempts(ctx: ReconcileContext, verdict: Verdict) -> tuple[AttemptStatus, ...]:
    """Finish all open attempts with the verdict."""
    end = {"finished": ctx.now.replace(microsecond=0), "reason": verdict.reason}
    return tuple(item if item.finished else item.model_copy(update=end) for item in ctx.attempts.attempts)


def _cleanup_actions(ctx: ReconcileContext, reason: str) -> tuple[Action, ...]:
    """Delete a Job that Kubernetes would keep running; a finished one is kept for its logs."""
    job = ctx.job
    if job is None or job.is_finished or job.deleting:
        return ()
    return (DeleteJob(name=job.name, uid=job.uid, reason=reason),)


def _status(ctx: ReconcileContext, values: Mapping[str, ConditionValue]) -> VideoJobStatus:
    before = ctx.status
    return VideoJobStatus(
        observed_generation=ctx.generation,
        state=display_state(ctx, values),
        conditions=merge_conditions(before.conditions, values, generation=ctx.generation, now=ctx.now),
        attempt=ctx.attempts.count,
        attempts=list(ctx.attempts.attempts),
        disruptions=ctx.disruptions,
        job_name=ctx.job.name if ctx.job else None,
        start_time=before.start_time or (ctx.job.started if ctx.job else None),
        progress=ctx.progress,
        output=ctx.output,
    )


def _unparsable_spec(observed: Observed, *, now: datetime) -> Decision:
    """A spec of another operator version: rejected if new, left running if its Job exists."""
    videojob, job = observed.videojob, observed.job
    problem = videojob.spec_error or SpecProblem("InvalidSpec", "spec cannot be parsed")
    if videojob.status.job_name is None and (job is None or job.owner_uid != videojob.uid):
        return _refuse(videojob, problem, now=now)
    values = {"Stalled": ConditionValue("True", problem.reason, f"left unchanged: {problem.message}")}
    conditions = merge_conditions(videojob.status.conditions, values, generation=videojob.generation, now=now)
    return Decision(status=videojob.status.model_copy(update={"conditions": conditions}))


def _refuse(videojob: ObservedVideoJob, problem: SpecProblem, *, now: datetime) -> Decision:
    values = rejected_conditions(problem)
    status = videojob.status.model_copy(
        update={
            "observed_generation": videojob.generation,
            "state": "Failed",
            "conditions": merge_conditions(videojob.status.conditions, values, generation=videojob.generation, now=now),
            "completion_time": now.replace(microsecond=0),
        }
    )
    return Decision(status=status, actions=tuple(completion_events(videojob.status, status)))


def _finished(observed: Observed, *, now: datetime) -> Decision:
    """Never create anything for a finished VideoJob; delete a Job that is still running."""
    videojob, job = observed.videojob, observed.job
    conditions = merge_conditions(videojob.status.conditions, {}, generation=videojob.generation, now=now)
    status = videojob.status.model_copy(update={"observed_generation": videojob.generation, "conditions": conditions})
    outlived = job is not None and job.owner_uid == videojob.uid and not (job.is_finished or job.deleting)
    actions = (DeleteJob(name=job.name, uid=job.uid, reason="verdict"),) if job and outlived else ()
    return Decision(status=status, actions=actions)

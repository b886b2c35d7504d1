"""
Deciding: an observation and a clock become a Decision. Read this page first.

1. What is not ours, or is being deleted, is left alone; what has a verdict is only tidied up.
2. A spec that cannot be run is refused before anything exists.
3. The verdict, if the Job, the evidence and the deadlines give one.
4. Otherwise the next step: create the Job, mirror the suspension, or wait and say for what.

Nothing is remembered between two calls but what stands in the status.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from videojob_api.resource.status import AttemptStatus, VideoJobStatus

from videojob_operator.domain.conditions import Fact, is_over, kept
from videojob_operator.domain.decision import Action, CreateJob, Decision, DeleteJob
from videojob_operator.domain.manifests.job import job_manifest
from videojob_operator.domain.observation.context import Case, examine
from videojob_operator.domain.observation.observed import OURSELVES, Observed, Problem, VideoJobSeen
from videojob_operator.domain.policies.acceptance import objection
from videojob_operator.domain.policies.completion import Verdict, judge
from videojob_operator.domain.policies.startup import Wait, overdue, until_lost, waiting
from videojob_operator.domain.policies.suspension import mirrored
from videojob_operator.domain.settings import Settings
from videojob_operator.domain.status.condition_set import at_the_end, on_the_way, refused, until_silent
from videojob_operator.domain.status.display_state import state
from videojob_operator.domain.status.events import events, verdict_events

SOONEST = timedelta(seconds=1)
"""No deadline is worth being looked at more often."""


def decide(observed: Observed, *, now: datetime, settings: Settings) -> Decision:
    """What should be true of this VideoJob now. `now` is aware; total, for every observation."""
    seen = observed.videojob
    if seen.deleting or seen.managed_by != OURSELVES:
        return Decision(status=seen.status)
    if is_over(seen.status):
        return _after_the_end(observed, now=now)
    if seen.spec is None:
        return _unreadable(observed, now=now)
    case = examine(observed, seen.spec, now=now, settings=settings)
    if problem := _objection(case):
        return _refuse(seen, problem, now=now)
    return _decide(case)


def _decide(case: Case) -> Decision:
    judgement, wait = judge(case), waiting(case)
    if isinstance(judgement, Verdict):
        return _end(case, judgement)
    late = overdue(case, wait) if wait else None
    if isinstance(late, Verdict):
        return _end(case, late)
    return _go_on(case, wait, (judgement.again, late, until_lost(case), until_silent(case)))


def _objection(case: Case) -> Problem | None:
    """Why no Job can be made; one that exists was fine when it was made."""
    if case.job or case.digest:
        return None
    if case.creation_problem and case.creation_problem.permanent:
        return case.creation_problem
    return objection(case.ref, case.spec, case.settings)


def _go_on(case: Case, wait: Wait | None, wishes: tuple[timedelta | None, ...]) -> Decision:
    status = _status(case, on_the_way(case, wait))
    if case.job is None:
        wishes = (*wishes, case.settings.creation_retry)
    again = min((wish for wish in wishes if wish is not None), default=None)
    return Decision(
        status=status,
        actions=(*_creation(case), *mirrored(case), *events(case, status)),
        look_again=max(again, SOONEST) if again is not None else None,
    )


def _creation(case: Case) -> tuple[Action, ...]:
    if case.job or case.stranger:
        return ()
    return (CreateJob(job_manifest(case.ref, case.spec, case.settings)),)


def _end(case: Case, verdict: Verdict) -> Decision:
    closed = replace(case, history=replace(case.history, attempts=_closed(case, verdict)))
    status = _status(closed, at_the_end(closed, verdict))
    status = status.model_copy(update={"completion_time": case.now.replace(microsecond=0)})
    return Decision(status=status, actions=(*_cleared(case, verdict.reason), *events(case, status)))


def _closed(case: Case, verdict: Verdict) -> tuple[AttemptStatus, ...]:
    """No attempt stays open behind a verdict."""
    end = {"finished": case.now.replace(microsecond=0), "reason": verdict.reason}
    return tuple(item if item.finished else item.model_copy(update=end) for item in case.history.attempts)


def _cleared(case: Case, reason: str) -> tuple[Action, ...]:
    """A Job that Kubernetes would keep going is deleted; a finished one stays for its logs."""
    job = case.job
    if job is None or job.finished or job.deleting:
        return ()
    return (DeleteJob(name=job.name, uid=job.uid, reason=reason),)


def _status(case: Case, facts: Mapping[str, Fact]) -> VideoJobStatus:
    before = case.status
    return VideoJobStatus(
        observed_generation=case.generation,
        state=state(case, facts),
        conditions=kept(before.conditions, facts, generation=case.generation, now=case.now),
        attempt=case.history.count,
        attempts=list(case.history.attempts),
        disruptions=case.disruptions,
        job_name=case.job.name if case.job else None,
        start_time=before.start_time or (case.job.started if case.job else None),
        progress=case.progress,
        output=case.output,
    )


def _unreadable(observed: Observed, *, now: datetime) -> Decision:
    """A spec of another version of ours: refused when new, left running when its Job exists already."""
    seen, job = observed.videojob, observed.job
    problem = seen.invalid or Problem("InvalidSpec", "spec cannot be read")
    if seen.status.job_name is None and (job is None or job.owner_uid != seen.uid):
        return _refuse(seen, problem, now=now)
    facts = {"Stalled": Fact("True", problem.reason, f"left as it is: {problem.message}")}
    conditions = kept(seen.status.conditions, facts, generation=seen.generation, now=now)
    return Decision(status=seen.status.model_copy(update={"conditions": conditions}))


def _refuse(seen: VideoJobSeen, problem: Problem, *, now: datetime) -> Decision:
    facts = refused(problem)
    status = seen.status.model_copy(
        update={
            "observed_generation": seen.generation,
            "state": "Failed",
            "conditions": kept(seen.status.conditions, facts, generation=seen.generation, now=now),
            "completion_time": now.replace(microsecond=0),
        }
    )
    return Decision(status=status, actions=tuple(verdict_events(seen.status, status)))


def _after_the_end(observed: Observed, *, now: datetime) -> Decision:
    """Nothing is ever created again, whatever was deleted; a Job that outlived the verdict goes."""
    seen, job = observed.videojob, observed.job
    conditions = kept(seen.status.conditions, {}, generation=seen.generation, now=now)
    status = seen.status.model_copy(update={"observed_generation": seen.generation, "conditions": conditions})
    outlived = job is not None and job.owner_uid == seen.uid and not (job.finished or job.deleting)
    actions = (DeleteJob(name=job.name, uid=job.uid, reason="verdict"),) if job and outlived else ()
    return Decision(status=status, actions=actions)

"""
Propagates the mutable spec fields (suspend, active deadline) to the child Job.

The Job controller performs the suspension: it deletes the pod (SIGTERM, checkpoint), which frees the accelerator, and
creates a new pod on resume. Suspensions count neither as retries nor as disruptions.
"""

from collections.abc import Iterator

from videojob_operator.domain.conditions import ConditionValue
from videojob_operator.domain.decision import Action, SetActiveDeadline, SetSuspend
from videojob_operator.domain.observation.context import ReconcileContext


def sync_actions(ctx: ReconcileContext) -> Iterator[Action]:
    """Actions that make the Job match the VideoJob's mutable fields."""
    job, wanted = ctx.job, ctx.spec.deadlines.active_seconds
    if job is None or job.is_finished or job.deleting:
        return
    if job.suspend != ctx.spec.suspend:
        yield SetSuspend(name=job.name, uid=job.uid, suspend=ctx.spec.suspend)
    if job.active_deadline_seconds != wanted:
        yield SetActiveDeadline(name=job.name, uid=job.uid, seconds=wanted)


def suspended_condition(ctx: ReconcileContext) -> ConditionValue:
    """The condition Suspended: True once no new pod can start."""
    if ctx.job.suspend if ctx.job else ctx.spec.suspend:
        waits = ", its pod is still terminating" if ctx.active_pod else ""
        return ConditionValue("True", "SuspendedByUser", f"spec.suspend is true{waits}")
    return ConditionValue("False", "NotSuspended")

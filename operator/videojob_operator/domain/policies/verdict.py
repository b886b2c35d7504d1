"""The result of a policy: a verdict, or none yet and when to evaluate again."""

from dataclasses import dataclass
from datetime import timedelta

from videojob_operator.domain.names import AGENT
from videojob_operator.domain.observation.context import ReconcileContext

POD_READ_INTERVAL = timedelta(seconds=2)
"""Time between two reads of a finished Job's pods from the API server."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The final result of a VideoJob."""

    succeeded: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class NoVerdict:
    """No verdict yet; evaluate again after `requeue_after` at the latest, None: after a change."""

    requeue_after: timedelta | None = None


Evaluation = Verdict | NoVerdict


def awaits_termination_message(ctx: ReconcileContext) -> bool:
    """
    True if the newest pod's final state may not have arrived yet.

    A Job finishes after its pods: once they were read from the API server, nothing can be missing. Until then a silent
    or lagging watch is no evidence.
    """
    pod = ctx.pod
    if pod and pod.is_terminal and (pod.container(AGENT).exit or pod.container(AGENT).started_at is None):
        return False
    return not ctx.pods_read

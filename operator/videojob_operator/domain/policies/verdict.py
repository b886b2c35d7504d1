"""The result of a policy: a verdict, or none yet and when to evaluate again."""

from dataclasses import dataclass
from datetime import timedelta

from videojob_operator.domain.names import AGENT
from videojob_operator.domain.observation.context import ReconcileContext

POD_READ_INTERVAL = timedelta(seconds=2)
"""Between two readings of an ended Job's pods from the API server."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a VideoJob."""

    succeeded: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class NoVerdict:
    """No verdict; look again after this long at the latest, None for whenever something changes."""

    requeue_after: timedelta | None = None


Evaluation = Verdict | NoVerdict


def awaits_termination_message(ctx: ReconcileContext) -> bool:
    """
    True if the newest pod may have said more than has arrived here.

    A Job ends after its pods: once they were read from the API server, what is missing does not exist. Until then a
    silent or lagging watch is no evidence.
    """
    pod = ctx.pod
    if pod and pod.is_terminal and (pod.container(AGENT).exit or pod.container(AGENT).started_at is None):
        return False
    return not ctx.pods_read

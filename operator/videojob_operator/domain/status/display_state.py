"""`status.state`: a one-word summary for humans. Not an API contract; scripts read conditions."""

from collections.abc import Mapping

from videojob_operator.domain.conditions import ConditionValue
from videojob_operator.domain.observation.context import ReconcileContext
from videojob_operator.domain.policies.completion import PUBLISHING_STATES

STATE_BY_REASON = {
    "FetchingInputs": "Fetching",
    "RunnerEnded": "Publishing",
    "CreatingJob": "Accepted",
    "CreateFailed": "Accepted",
    "JobNameTaken": "Stalled",
    "NodeLost": "NodeLost",
}
"""Reasons of Running=False with a state of their own; others are `Pending`, or `Starting` on a node."""


def display_state(ctx: ReconcileContext, facts: Mapping[str, ConditionValue]) -> str:
    """Accepted, Pending, Starting, Fetching, Running, Publishing, Suspended, Stalled, NodeLost, Succeeded or Failed."""
    succeeded, running = facts["Succeeded"].status, facts["Running"]
    if succeeded != "Unknown":
        return "Succeeded" if succeeded == "True" else "Failed"
    if facts["Suspended"].status == "True":
        return "Suspended"
    if running.status == "True":
        return "Publishing" if ctx.progress and ctx.progress.state in PUBLISHING_STATES else "Running"
    scheduled = ctx.active_pod is not None and ctx.active_pod.node is not None
    return STATE_BY_REASON.get(running.reason, "Starting" if scheduled else "Pending")

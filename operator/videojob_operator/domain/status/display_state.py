"""`status.state`: one word for people. Not a contract; scripts read conditions."""

from collections.abc import Mapping

from videojob_operator.domain.conditions import Fact
from videojob_operator.domain.observation.context import Case
from videojob_operator.domain.policies.completion import AFTER_THE_WORK

WORDS = {
    "FetchingInputs": "Fetching",
    "RunnerEnded": "Publishing",
    "CreatingJob": "Accepted",
    "CreateFailed": "Accepted",
    "JobNameTaken": "Stalled",
    "NodeLost": "NodeLost",
}
"""Reasons of Running=False that have a word of their own; any other wait is `Pending`, and `Starting` on a node."""


def state(case: Case, facts: Mapping[str, Fact]) -> str:
    """Accepted, Pending, Starting, Fetching, Running, Publishing, Suspended, Stalled, NodeLost, Succeeded or Failed."""
    succeeded, running = facts["Succeeded"].status, facts["Running"]
    if succeeded != "Unknown":
        return "Succeeded" if succeeded == "True" else "Failed"
    if facts["Suspended"].status == "True":
        return "Suspended"
    if running.status == "True":
        return "Publishing" if case.progress and case.progress.state in AFTER_THE_WORK else "Running"
    scheduled = case.live_pod is not None and case.live_pod.node is not None
    return WORDS.get(running.reason, "Starting" if scheduled else "Pending")

"""`status.state`: one word for people. Not a contract; scripts read conditions."""

from collections.abc import Mapping

from videojob_api.report import ProgressState

from videojob_operator.domain.case import Case
from videojob_operator.domain.conditions import Fact

WORDS = {
    "FetchingInputs": "Fetching",
    "RunnerEnded": "Publishing",
    "CreatingJob": "Accepted",
    "CreateFailed": "Accepted",
    "JobNameTaken": "Stalled",
    "NodeLost": "NodeLost",
}
"""Reasons of Running=False that have a word of their own; any other wait is `Starting`."""

AFTER_THE_WORK = frozenset({ProgressState.FINISHING, ProgressState.DONE})
"""The frames are made; our runner's container lives on until the agent has published them."""


def state(case: Case, facts: Mapping[str, Fact]) -> str:
    """Accepted, Starting, Fetching, Running, Publishing, Suspended, Stalled, NodeLost, Succeeded or Failed."""
    succeeded, running = facts["Succeeded"].status, facts["Running"]
    if succeeded != "Unknown":
        return "Succeeded" if succeeded == "True" else "Failed"
    if facts["Suspended"].status == "True":
        return "Suspended"
    if running.status == "True":
        return "Publishing" if case.progress and case.progress.state in AFTER_THE_WORK else "Running"
    return WORDS.get(running.reason, "Starting")

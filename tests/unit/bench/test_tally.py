"""The tally of many VideoJobs: what the watches' events come to."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from prometheus_client import generate_latest
from videojob_operator.metrics import Metrics

from bench.tally import HEAD, Row, Tally, as_json, calls, line, percentile


def videojob(name: str, state: str = "", *, succeeded: tuple[str, str] | None = None) -> dict[str, Any]:
    """An event of a VideoJob; `succeeded` is status and reason of that condition."""
    status: dict[str, Any] = {"state": state} if state else {}
    if succeeded:
        status["conditions"] = [{"type": "Succeeded", "status": succeeded[0], "reason": succeeded[1]}]
    return {"type": "MODIFIED", "object": {"metadata": {"name": name}, "status": status}}


def dependent(name: str, *, uid: str = "u", kind: str = "ADDED") -> dict[str, Any]:
    """An event of a VideoJob's Job or pod."""
    return {"type": kind, "object": {"metadata": {"uid": uid, "labels": {"videojobs.dev/name": name}}}}


def test_a_videojob_counts_with_its_last_state() -> None:
    tally = Tally()
    for state in ("", "Accepted", "Starting"):
        tally.videojob(videojob("a", state))
    tally.videojob(videojob("b"))
    assert tally.states == {"a": "Starting", "b": "not looked at"}


def test_only_what_is_over_has_a_verdict() -> None:
    tally = Tally()
    tally.videojob(videojob("waits", "Starting", succeeded=("Unknown", "InProgress")))
    tally.videojob(videojob("failed", "Failed", succeeded=("False", "NoPod")))
    assert tally.verdicts == {"failed": "NoPod"}


def test_a_job_that_was_made_twice_counts_from_the_first_time_and_is_there_once() -> None:
    tally = Tally(created={"a": 10.0})
    tally.dependent("jobs", dependent("a", uid="1"), now=12)
    tally.dependent("jobs", dependent("a", uid="1", kind="DELETED"), now=13)
    tally.dependent("jobs", dependent("a", uid="2"), now=14)
    tally.dependent("jobs", dependent("a", uid="2", kind="MODIFIED"), now=15)
    assert tally.latencies("jobs") == [2.0]
    assert len(tally.present["jobs"]) == 1


def test_jobs_a_second_count_from_the_first_creation_to_the_last_job() -> None:
    tally = Tally(created={"a": 10.0, "b": 11.0})
    assert tally.rate("jobs") == 0
    tally.dependent("jobs", dependent("a", uid="1"), now=11)
    tally.dependent("jobs", dependent("b", uid="2"), now=14)
    assert tally.rate("jobs") == 0.5
    assert tally.rate("pods") == 0


def test_whoever_has_a_pod_or_a_verdict_is_settled() -> None:
    tally = Tally()
    tally.dependent("jobs", dependent("has a job"), now=1)
    tally.dependent("pods", dependent("has a pod"), now=1)
    tally.videojob(videojob("is over", succeeded=("False", "NoPod")))
    assert tally.settled == {"has a pod", "is over"}


def test_calls_are_added_up_over_their_answers() -> None:
    metrics = Metrics(version="1")
    for status, verb in ((200, "LIST"), (500, "LIST"), (201, "POST")):
        metrics.observe_api_call(verb=verb, kind="Event", status=status, seconds=0.1)

    assert calls(generate_latest(metrics.registry).decode()) == {("LIST", "Event"): 2, ("POST", "Event"): 1}


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.75, 3.0), (0.99, 4.0), (1.0, 4.0), (0.0, 1.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], share) == value


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 0.5) is None


ROW = Row(
    seconds=15.04,
    videojobs=3,
    jobs=2,
    pods=1,
    states=Counter({"Starting": 1, "Accepted": 2}),
    verdicts=Counter({"NoPod": 1}),
    cpu=1.25,
    megabytes=99.6,
    calls={("LIST", "Event"): 7, ("PATCH", "VideoJob"): 8, ("POST", "Job"): 2},
)


def test_a_line_stands_below_its_head() -> None:
    text = line(ROW)
    assert text.split()[:9] == ["15", "3", "2", "1", "1.2", "100", "17", "7", "8"]
    assert text.endswith("  Accepted 2, Starting 1; NoPod 1")
    assert text.index("  Accepted") == HEAD.index("  states")


def test_a_row_can_be_written_as_json() -> None:
    found = json.loads(json.dumps(as_json(ROW)))
    assert found["seconds"] == 15.0
    assert found["calls"] == {"PATCH VideoJob": 8, "LIST Event": 7, "POST Job": 2}

"""Reports: the newest state, not too often, and never in anybody's way."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from videojob_agent.backoff import Backoff
from videojob_agent.errors import EndpointUnreachable
from videojob_agent.report.reporter import SEQUENCE_SKIP, ProgressReporter, ReportResponse
from videojob_agent.status.state import SharedState
from videojob_api.messages.report import Failure

from tests.support.clock import NOON, ManualClock
from tests.unit.agent.fakes import RecordingEndpoint, runner_status, string_log

AWAY = EndpointUnreachable("nobody answers")


@dataclass
class Desk:
    """A reporting agent and its operator."""

    board: SharedState
    endpoint: RecordingEndpoint
    clock: ManualClock
    reporting: ProgressReporter
    pauses: list[float]
    """What was slept between the last tries."""

    def after(self, seconds: float) -> list[dict[str, Any]]:
        """The bodies that go out within `seconds`, looked at every tenth of a second."""
        count = len(self.endpoint.bodies)
        for _ in range(round(seconds * 10)):
            self.clock.now += 0.1
            self.reporting.run_once()
        return self.endpoint.bodies[count:]


def desk(*answers: ReportResponse | EndpointUnreachable) -> Desk:
    board, clock = SharedState(), ManualClock()
    endpoint, pauses = RecordingEndpoint(list(answers) or [ReportResponse(204)]), list[float]()
    reporting = ProgressReporter(
        "uid-1",
        board,
        endpoint,
        log=string_log()[0],
        now=lambda: NOON,
        clock=clock,
        sleep=pauses.append,
        backoff=Backoff(draw=lambda: 1.0),
    )
    return Desk(board, endpoint, clock, reporting, pauses)


def working(percent: int) -> Any:
    return runner_status(f"IN_PROGRESS uid-1 {percent}% 7s")


def test_the_first_report_goes_out_at_once() -> None:
    it = desk()
    it.reporting.run_once()
    assert it.endpoint.bodies == [
        {
            "uid": "uid-1",
            "sequence": 1,
            "state": "starting",
            "percent": 0,
            "message": "",
            "observedTime": "2026-05-01T12:00:00Z",
            "published": {"frames": 0, "bytes": 0, "videos": []},
        }
    ]


def test_changes_go_out_every_two_seconds_and_only_the_newest() -> None:
    it = desk()
    it.board.set_runner_status(working(0))
    it.reporting.run_once()
    sent = []
    for percent in range(1, 41):
        it.board.set_runner_status(working(percent))
        sent += [body["percent"] for body in it.after(0.2)]
    assert sent == pytest.approx([10, 20, 30, 40], abs=1)


def test_a_new_state_goes_out_at_once() -> None:
    it = desk()
    it.board.set_runner_status(working(50))
    it.reporting.run_once()
    it.board.set_runner_status(runner_status("FAILED uid-1"))
    assert [body["state"] for body in it.after(0.1)] == ["failed"]


def test_without_news_there_is_a_heartbeat_each_half_minute() -> None:
    it = desk()
    it.reporting.run_once()
    assert [body["sequence"] for body in it.after(91)] == [2, 3, 4]


def test_the_sequence_rises_by_one_with_each_report() -> None:
    it = desk()
    for percent in range(5):
        it.board.set_runner_status(working(percent))
        it.after(2.1)
    assert [body["sequence"] for body in it.endpoint.bodies] == [1, 2, 3, 4, 5]


def test_an_operator_that_is_away_is_asked_less_and_less_often() -> None:
    it = desk(AWAY)
    it.reporting.run_once()
    moments = []
    for second in range(1, 400):
        if it.after(1):
            moments.append(second)
    gaps = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert gaps[:5] == pytest.approx([2, 4, 8, 16, 32], abs=1.1)
    assert gaps[5:] == pytest.approx([60] * len(gaps[5:]), abs=1.1)


def test_when_the_operator_is_back_one_report_is_enough() -> None:
    it = desk(AWAY, AWAY, AWAY, ReportResponse(204))
    it.reporting.run_once()
    for percent in range(5):
        it.board.set_runner_status(working(percent))
        it.after(1)
    assert [body["percent"] for body in it.after(5)] == [4]


def test_the_pause_that_is_told_is_the_pause_that_is_kept() -> None:
    it = desk(ReportResponse(503, retry_after=0), AWAY, ReportResponse(204))
    assert it.reporting.run_once() == pytest.approx(0.2)
    it.clock.now += 0.2
    assert it.reporting.run_once() == pytest.approx(2.0)
    it.clock.now += 2.0
    assert it.reporting.run_once() == pytest.approx(30.0)


def test_not_even_a_new_state_breaks_into_a_pause() -> None:
    it = desk(ReportResponse(503, retry_after=20), ReportResponse(204))
    it.reporting.run_once()
    it.board.set_runner_status(runner_status("FAILED uid-1"))
    assert it.after(19.5) == []
    assert len(it.after(1)) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_heeded(status: int) -> None:
    it = desk(ReportResponse(status, retry_after=7), ReportResponse(204))
    it.reporting.run_once()
    assert it.after(6.5) == []
    assert len(it.after(1)) == 1


def test_nobody_can_silence_the_agent_for_more_than_a_minute() -> None:
    it = desk(ReportResponse(503, retry_after=1e9), ReportResponse(204))
    it.reporting.run_once()
    assert len(it.after(61)) == 1


def test_a_standby_that_says_at_once_is_left_for_another_at_once_but_not_in_a_hot_loop() -> None:
    it = desk(ReportResponse(503, retry_after=0))
    it.reporting.run_once()
    assert 3 <= len(it.after(1)) <= 6


def test_an_operator_that_knows_no_such_job_is_asked_again_every_ten_minutes() -> None:
    it = desk(ReportResponse(404), ReportResponse(404), ReportResponse(204))
    assert it.reporting.run_once() == 600
    it.board.set_runner_status(runner_status("FAILED uid-1"))
    assert it.after(599) == []
    assert [body["state"] for body in it.after(2)] == ["failed"]
    assert it.after(598) == []
    assert [body["state"] for body in it.after(2)] == ["failed"]
    assert it.reporting.run_once() == pytest.approx(30, abs=2)


def test_an_operator_that_is_away_for_an_hour_gets_the_newest_state_when_it_is_back() -> None:
    it = desk(*[AWAY] * 65, ReportResponse(204))
    for percent in range(60):
        it.board.set_runner_status(working(percent))
        it.after(60)
    it.after(300)
    assert it.endpoint.bodies[-1]["percent"] == 59
    assert len(it.endpoint.bodies) < 80


def test_an_older_sequence_jumps_over_what_an_earlier_agent_of_this_pod_has_sent() -> None:
    it = desk(ReportResponse(409), ReportResponse(204))
    it.reporting.run_once()
    assert [body["sequence"] for body in it.after(3)] == [2 + SEQUENCE_SKIP]


@pytest.mark.parametrize("status", [400, 413])
def test_a_report_that_was_refused_as_such_is_not_sent_again_until_there_is_news(status: int) -> None:
    it = desk(ReportResponse(status), ReportResponse(204))
    it.board.set_runner_status(working(1))
    it.reporting.run_once()
    assert it.after(20) == []
    it.board.set_runner_status(working(2))
    assert len(it.after(3)) == 1


@pytest.mark.parametrize("status", [301, 401, 403, 500, 502])
def test_other_refusals_are_waited_out(status: int) -> None:
    it = desk(ReportResponse(status), ReportResponse(204))
    it.reporting.run_once()
    assert it.after(0.8) == []
    assert len(it.after(0.4)) == 1


def test_the_end_sends_what_is_new_and_returns() -> None:
    it = desk()
    it.reporting.run_once()
    it.board.set_runner_status(runner_status("COMPLETED uid-1 v.mp4"))
    it.board.set_failure(Failure(reason="NoVideo", message="no mp4"))
    it.board.close()
    it.reporting.run()
    assert [body.get("failure") for body in it.endpoint.bodies] == [None, {"reason": "NoVideo", "message": "no mp4"}]


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        ([ReportResponse(429, 1.0), ReportResponse(204)], [1.0]),
        ([ReportResponse(503, 0.0), ReportResponse(429, 30.0), ReportResponse(204)], [0.2, 2.0]),
        ([ReportResponse(429, 1.0)] * 3, [1.0, 1.0]),
        ([AWAY, AWAY, AWAY], []),
        ([ReportResponse(500), ReportResponse(204)], []),
    ],
    ids=["a little later", "another replica, then a long pause cut short", "never taken", "nobody there", "broken"],
)
def test_between_the_last_tries_the_operator_may_ask_for_a_pause(
    answers: list[ReportResponse | EndpointUnreachable], pauses: list[float]
) -> None:
    it = desk(*answers)
    it.board.set_runner_status(runner_status("COMPLETED uid-1 v.mp4"))
    it.board.close()
    it.reporting.run()
    assert len(it.endpoint.bodies) == len(answers)
    assert it.pauses == pauses


def test_the_end_sends_nothing_when_all_was_said() -> None:
    it = desk()
    it.reporting.run_once()
    it.board.close()
    it.reporting.run()
    assert len(it.endpoint.bodies) == 1


def test_the_end_does_not_wait_for_an_operator_that_is_away() -> None:
    it = desk(AWAY)
    it.board.close()
    it.reporting.run()
    assert len(it.endpoint.bodies) == 3


def test_the_end_sends_nothing_to_an_operator_that_knows_no_such_job() -> None:
    it = desk(ReportResponse(404))
    it.reporting.run_once()
    it.board.set_runner_status(working(1))
    it.board.close()
    it.reporting.run()
    assert len(it.endpoint.bodies) == 1

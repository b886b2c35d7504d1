"""Reports: the newest state, not too often, and never in anybody's way."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from videojob_agent.backoff import Backoff
from videojob_agent.errors import EndpointUnreachable
from videojob_agent.report.reporter import SKIP, Answer, Reporting
from videojob_agent.status.state import Board
from videojob_api.messages.report import Failure

from tests.unit.agent.fakes import NOON, ManualClock, RecordingEndpoint, quiet, sight

AWAY = EndpointUnreachable("nobody answers")


@dataclass
class Desk:
    """A reporting agent and its operator."""

    board: Board
    endpoint: RecordingEndpoint
    clock: ManualClock
    reporting: Reporting
    pauses: list[float]
    """What was slept between the last tries."""

    def after(self, seconds: float) -> list[dict[str, Any]]:
        """The bodies that go out within `seconds`, looked at every tenth of a second."""
        count = len(self.endpoint.bodies)
        for _ in range(round(seconds * 10)):
            self.clock.now += 0.1
            self.reporting.step()
        return self.endpoint.bodies[count:]


def desk(*answers: Answer | EndpointUnreachable) -> Desk:
    board, clock = Board(), ManualClock()
    endpoint, pauses = RecordingEndpoint(list(answers) or [Answer(204)]), list[float]()
    reporting = Reporting(
        "uid-1",
        board,
        endpoint,
        events=quiet()[0],
        now=lambda: NOON,
        clock=clock,
        sleep=pauses.append,
        backoff=Backoff(draw=lambda: 1.0),
    )
    return Desk(board, endpoint, clock, reporting, pauses)


def working(percent: int) -> Any:
    return sight(f"IN_PROGRESS uid-1 {percent}% 7s")


def test_the_first_report_goes_out_at_once() -> None:
    it = desk()
    it.reporting.step()
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
    it.board.saw(working(0))
    it.reporting.step()
    sent = []
    for percent in range(1, 41):
        it.board.saw(working(percent))
        sent += [body["percent"] for body in it.after(0.2)]
    assert sent == pytest.approx([10, 20, 30, 40], abs=1)


def test_a_new_state_goes_out_at_once() -> None:
    it = desk()
    it.board.saw(working(50))
    it.reporting.step()
    it.board.saw(sight("FAILED uid-1"))
    assert [body["state"] for body in it.after(0.1)] == ["failed"]


def test_without_news_there_is_a_heartbeat_each_half_minute() -> None:
    it = desk()
    it.reporting.step()
    assert [body["sequence"] for body in it.after(91)] == [2, 3, 4]


def test_the_sequence_rises_by_one_with_each_report() -> None:
    it = desk()
    for percent in range(5):
        it.board.saw(working(percent))
        it.after(2.1)
    assert [body["sequence"] for body in it.endpoint.bodies] == [1, 2, 3, 4, 5]


def test_an_operator_that_is_away_is_asked_less_and_less_often() -> None:
    it = desk(AWAY)
    it.reporting.step()
    moments = []
    for second in range(1, 400):
        if it.after(1):
            moments.append(second)
    gaps = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert gaps[:5] == pytest.approx([2, 4, 8, 16, 32], abs=1.1)
    assert gaps[5:] == pytest.approx([60] * len(gaps[5:]), abs=1.1)


def test_when_the_operator_is_back_one_report_is_enough() -> None:
    it = desk(AWAY, AWAY, AWAY, Answer(204))
    it.reporting.step()
    for percent in range(5):
        it.board.saw(working(percent))
        it.after(1)
    assert [body["percent"] for body in it.after(5)] == [4]


def test_the_pause_that_is_told_is_the_pause_that_is_kept() -> None:
    it = desk(Answer(503, retry_after=0), AWAY, Answer(204))
    assert it.reporting.step() == pytest.approx(0.2)
    it.clock.now += 0.2
    assert it.reporting.step() == pytest.approx(2.0)
    it.clock.now += 2.0
    assert it.reporting.step() == pytest.approx(30.0)


def test_not_even_a_new_state_breaks_into_a_pause() -> None:
    it = desk(Answer(503, retry_after=20), Answer(204))
    it.reporting.step()
    it.board.saw(sight("FAILED uid-1"))
    assert it.after(19.5) == []
    assert len(it.after(1)) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_heeded(status: int) -> None:
    it = desk(Answer(status, retry_after=7), Answer(204))
    it.reporting.step()
    assert it.after(6.5) == []
    assert len(it.after(1)) == 1


def test_nobody_can_silence_the_agent_for_more_than_a_minute() -> None:
    it = desk(Answer(503, retry_after=1e9), Answer(204))
    it.reporting.step()
    assert len(it.after(61)) == 1


def test_a_standby_that_says_at_once_is_left_for_another_at_once_but_not_in_a_hot_loop() -> None:
    it = desk(Answer(503, retry_after=0))
    it.reporting.step()
    assert 3 <= len(it.after(1)) <= 6


def test_an_operator_that_knows_no_such_job_is_asked_again_every_ten_minutes() -> None:
    it = desk(Answer(404), Answer(404), Answer(204))
    assert it.reporting.step() == 600
    it.board.saw(sight("FAILED uid-1"))
    assert it.after(599) == []
    assert [body["state"] for body in it.after(2)] == ["failed"]
    assert it.after(598) == []
    assert [body["state"] for body in it.after(2)] == ["failed"]
    assert it.reporting.step() == pytest.approx(30, abs=2)


def test_an_operator_that_is_away_for_an_hour_gets_the_newest_state_when_it_is_back() -> None:
    it = desk(*[AWAY] * 65, Answer(204))
    for percent in range(60):
        it.board.saw(working(percent))
        it.after(60)
    it.after(300)
    assert it.endpoint.bodies[-1]["percent"] == 59
    assert len(it.endpoint.bodies) < 80


def test_an_older_sequence_jumps_over_what_an_earlier_agent_of_this_pod_has_sent() -> None:
    it = desk(Answer(409), Answer(204))
    it.reporting.step()
    assert [body["sequence"] for body in it.after(3)] == [2 + SKIP]


@pytest.mark.parametrize("status", [400, 413])
def test_a_report_that_was_refused_as_such_is_not_sent_again_until_there_is_news(status: int) -> None:
    it = desk(Answer(status), Answer(204))
    it.board.saw(working(1))
    it.reporting.step()
    assert it.after(20) == []
    it.board.saw(working(2))
    assert len(it.after(3)) == 1


@pytest.mark.parametrize("status", [301, 401, 403, 500, 502])
def test_other_refusals_are_waited_out(status: int) -> None:
    it = desk(Answer(status), Answer(204))
    it.reporting.step()
    assert it.after(0.8) == []
    assert len(it.after(0.4)) == 1


def test_the_end_sends_what_is_new_and_returns() -> None:
    it = desk()
    it.reporting.step()
    it.board.saw(sight("COMPLETED uid-1 v.mp4"))
    it.board.gave_up(Failure(reason="NoVideo", message="no mp4"))
    it.board.close()
    it.reporting.run()
    assert [body.get("failure") for body in it.endpoint.bodies] == [None, {"reason": "NoVideo", "message": "no mp4"}]


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        ([Answer(429, 1.0), Answer(204)], [1.0]),
        ([Answer(503, 0.0), Answer(429, 30.0), Answer(204)], [0.2, 2.0]),
        ([Answer(429, 1.0)] * 3, [1.0, 1.0]),
        ([AWAY, AWAY, AWAY], []),
        ([Answer(500), Answer(204)], []),
    ],
    ids=["a little later", "another replica, then a long pause cut short", "never taken", "nobody there", "broken"],
)
def test_between_the_last_tries_the_operator_may_ask_for_a_pause(
    answers: list[Answer | EndpointUnreachable], pauses: list[float]
) -> None:
    it = desk(*answers)
    it.board.saw(sight("COMPLETED uid-1 v.mp4"))
    it.board.close()
    it.reporting.run()
    assert len(it.endpoint.bodies) == len(answers)
    assert it.pauses == pauses


def test_the_end_sends_nothing_when_all_was_said() -> None:
    it = desk()
    it.reporting.step()
    it.board.close()
    it.reporting.run()
    assert len(it.endpoint.bodies) == 1


def test_the_end_does_not_wait_for_an_operator_that_is_away() -> None:
    it = desk(AWAY)
    it.board.close()
    it.reporting.run()
    assert len(it.endpoint.bodies) == 3


def test_the_end_sends_nothing_to_an_operator_that_knows_no_such_job() -> None:
    it = desk(Answer(404))
    it.reporting.step()
    it.board.saw(working(1))
    it.board.close()
    it.reporting.run()
    assert len(it.endpoint.bodies) == 1

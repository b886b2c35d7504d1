"""Trying again before the runner starts: how long, how often, and what is said meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from videojob_agent.backoff import Backoff
from videojob_agent.errors import (
    AgentError,
    BucketNotFound,
    CredentialsRefused,
    DigestMismatch,
    EndpointUnreachable,
    OutputNotWritable,
    ScratchFailed,
    ScratchFull,
)
from videojob_agent.inputs.retry import Retrier
from videojob_agent.wait_message import WaitMessage

from tests.support.clock import ManualClock
from tests.unit.agent.fakes import string_log

AWAY = EndpointUnreachable("away")


@dataclass
class Desk:
    """A clock that only the pauses move, and what was said at which second."""

    limit: int = 1800
    clock: ManualClock = field(default_factory=ManualClock)
    said: list[tuple[float, str]] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)

    @property
    def retrying(self) -> Retrier:
        return Retrier(
            limit=self.limit,
            log=string_log()[0],
            sleep=self.sleep,
            clock=self.clock,
            on_message=lambda words: self.said.append((self.clock.now - 1000, words)),
            wait_message=WaitMessage(now=self.clock.wall),
            backoff=Backoff(draw=lambda: 1.0),
        )

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.clock.sleep(seconds)


def failing(*errors: AgentError) -> Callable[[], str]:
    """An action that meets these, one at each try, and then does it."""
    left = list(errors)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return action


def test_a_store_that_comes_back_after_twenty_minutes_is_used_within_one() -> None:
    desk = Desk()

    def action() -> str:
        if desk.clock.now < 1000 + 1200:
            raise EndpointUnreachable("away")
        return "done"

    assert desk.retrying(action) == "done"
    assert desk.clock.now - 1000 <= 1260
    assert max(desk.naps) == 60


def test_the_last_try_is_at_the_limit() -> None:
    desk = Desk(limit=100)
    with pytest.raises(EndpointUnreachable, match="tried for 100 seconds: away"):
        desk.retrying(failing(*[AWAY] * 99))
    assert (sum(desk.naps), desk.naps) == (100, [1, 2, 4, 8, 16, 32, 37])


@pytest.mark.parametrize(
    "refusal",
    [
        BucketNotFound("none"),
        CredentialsRefused("no"),
        DigestMismatch("other"),
        OutputNotWritable("read-only"),
        ScratchFull("full"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_somebody_must_change_first_fails_at_once(refusal: AgentError) -> None:
    desk = Desk()
    with pytest.raises(type(refusal)):
        desk.retrying(failing(refusal))
    assert (desk.naps, desk.said) == ([], [])


def test_a_disk_that_fails_is_left_to_another_node_after_a_moment() -> None:
    desk = Desk()
    with pytest.raises(ScratchFailed, match="tried for 10 seconds"):
        desk.retrying(failing(*[ScratchFailed("I/O error")] * 99))
    assert sum(desk.naps) == 10


def test_each_wait_has_the_whole_limit() -> None:
    desk = Desk(limit=100)
    retrying = desk.retrying
    for _ in range(3):
        assert retrying(failing(*[AWAY] * 6)) == "done"
    assert sum(desk.naps) == 3 * 63


def test_who_waits_says_why_until_when_and_for_how_long_in_few_steps() -> None:
    desk = Desk()
    desk.retrying(failing(*[EndpointUnreachable(f"try {number}") for number in range(20)]))
    head, tail = (
        "fetch waits",
        ", until 2026-05-01 12:30 UTC (30 minutes): restore the storage service. EndpointUnreachable: ",
    )
    told = list(dict.fromkeys(words for _, words in desk.said))
    assert told == [
        f"{head}{tail}try 0",
        f"{head} for over 1 minute{tail}try 6",
        f"{head} for over 10 minutes{tail}try 15",
        "",
    ]

"""The words for a wait: they change seldom, since each change is a write to a status."""

from __future__ import annotations

import pytest
from videojob_agent.errors import AgentError, BucketNotFound, CredentialsRefused, EndpointUnreachable
from videojob_agent.wait_message import WaitMessage, elapsed_text, format_duration

from tests.support.clock import ManualClock


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (5400, "90 minutes"),
        (21_600, "6 hours"),
        (86_400, "1 day"),
        (604_800, "7 days"),
    ],
)
def test_a_duration_has_its_unit(seconds: int, words: str) -> None:
    assert format_duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, ""),
        (59.9, ""),
        (60, " for over 1 minute"),
        (599, " for over 1 minute"),
        (600, " for over 10 minutes"),
        (3600, " for over 1 hour"),
        (86_399, " for over 6 hours"),
        (600_000, " for over 1 day"),
    ],
)
def test_what_has_passed_is_told_in_steps(seconds: float, words: str) -> None:
    assert elapsed_text(seconds) == words


def told(*errors: AgentError, every: float) -> list[str]:
    """What is told of a wait of a day, a try at each interval, as far as it differs from what was told before."""
    clock, words = ManualClock(), []
    tell = WaitMessage(now=clock.wall)
    for number in range(int(86_400 / every)):
        error = errors[number % len(errors)]
        words.append(tell("fetch", error, since=1000, waited=clock.now - 1000, limit=86_400))
        clock.now += every + 0.001
    return [new for old, new in zip(["", *words], words, strict=False) if old != new]


def test_a_day_of_tries_is_told_in_five_steps_whatever_the_store_says() -> None:
    away = [EndpointUnreachable("refused"), EndpointUnreachable("timeout"), EndpointUnreachable("HTTP 503")]
    assert len(told(*away, every=47)) == 5


def test_another_refusal_is_told_at_once() -> None:
    clock = ManualClock()
    tell = WaitMessage(now=clock.wall)
    errors = [CredentialsRefused("InvalidAccessKeyId"), CredentialsRefused("AccessDenied"), BucketNotFound("none")]
    words = [tell("fetch", error, since=1000, waited=5, limit=60) for error in errors]
    assert [line.rpartition(". ")[2] for line in words] == [
        "CredentialsRefused: InvalidAccessKeyId",
        "CredentialsRefused: AccessDenied",
        "BucketNotFound: none",
    ]


def test_the_end_of_a_wait_is_told_by_the_wall_clock_and_does_not_move() -> None:
    clock = ManualClock()
    tell = WaitMessage(now=clock.wall)
    first = tell("fetch", BucketNotFound("none"), since=1000, waited=0, limit=21_600)
    clock.now += 50
    assert tell("fetch", BucketNotFound("none"), since=1000, waited=49.9, limit=21_600) == first
    assert "until 2026-05-01 18:00 UTC (6 hours)" in first


def test_another_wait_has_another_end() -> None:
    clock = ManualClock()
    tell = WaitMessage(now=clock.wall)
    tell("fetch", EndpointUnreachable("one"), since=1000, waited=0, limit=3600)
    clock.now += 7200
    second = tell("fetch", EndpointUnreachable("two"), since=8200, waited=0, limit=3600)
    assert second == (
        "fetch waits, until 2026-05-01 15:00 UTC (1 hour): restore the storage service. EndpointUnreachable: two"
    )

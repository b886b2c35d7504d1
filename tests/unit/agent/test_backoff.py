"""Waiting longer after each failure."""

from __future__ import annotations

from videojob_agent.backoff import Backoff


def test_the_longest_wait_doubles_from_one_second_to_sixty() -> None:
    backoff = Backoff(draw=lambda: 1.0)
    assert [backoff.next_delay() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_any_wait_up_to_the_longest_may_be_drawn() -> None:
    draws = iter([0.0, 0.25, 0.5])
    backoff = Backoff(draw=lambda: next(draws))
    assert [backoff.next_delay() for _ in range(3)] == [0.0, 0.5, 2.0]


def test_success_begins_anew() -> None:
    backoff = Backoff(draw=lambda: 1.0)
    backoff.next_delay()
    backoff.next_delay()
    backoff.reset()
    assert backoff.next_delay() == 1


def test_thousands_of_failures_are_no_trouble() -> None:
    backoff = Backoff(draw=lambda: 1.0)
    assert [backoff.next_delay() for _ in range(5000)][-1] == 60

"""Token buckets: what a sender may do at once and in the long run."""

from __future__ import annotations

from videojob_operator.ratelimit import JOB_RATE, Rate, RateLimiter

from tests.support.clock import ManualClock


def test_a_job_may_send_three_reports_at_once_and_then_one_in_two_seconds() -> None:
    clock = ManualClock()
    limiter = RateLimiter(JOB_RATE, clock=clock)
    assert [limiter.take("sunset") for _ in range(4)] == [0, 0, 0, 2]
    clock.forward(1)
    assert limiter.take("sunset") == 1
    clock.forward(1)
    assert limiter.take("sunset") == 0


def test_a_refused_request_costs_nothing() -> None:
    clock = ManualClock()
    limiter = RateLimiter(Rate(per_second=1, burst=1), clock=clock)
    limiter.take("a")
    waits = [limiter.take("a") for _ in range(100)]
    assert set(waits) == {1}
    clock.forward(1)
    assert limiter.take("a") == 0


def test_one_flooding_sender_does_not_slow_another() -> None:
    limiter = RateLimiter(JOB_RATE, clock=ManualClock())
    for _ in range(1000):
        limiter.take("flood")
    assert limiter.take("quiet") == 0


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    clock = ManualClock()
    limiter = RateLimiter(Rate(per_second=10, burst=2), clock=clock)
    limiter.take("a")
    clock.forward(3600)
    assert [limiter.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_senders_who_are_quiet_are_forgotten() -> None:
    clock = ManualClock()
    limiter = RateLimiter(JOB_RATE, clock=clock)
    for number in range(100):
        limiter.take(number)
    clock.forward(10)
    limiter.take("new")
    assert len(limiter) == 1


def test_memory_stays_bounded_under_a_flood_of_senders() -> None:
    limiter = RateLimiter(JOB_RATE, clock=ManualClock(), max_keys=50)
    for number in range(1000):
        limiter.take(number)
    assert len(limiter) == 50


def test_a_sender_in_debt_is_not_forgiven_while_others_come() -> None:
    clock = ManualClock()
    limiter = RateLimiter(JOB_RATE, clock=clock)
    for _ in range(5):
        limiter.take("debtor")
    for number in range(100):
        limiter.take(number)
    assert limiter.take("debtor") > 0

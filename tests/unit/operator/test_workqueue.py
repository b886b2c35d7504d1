"""The work queue: keys are looked at once, by one worker at a time, later and later when they fail."""

from __future__ import annotations

import asyncio

import pytest
from videojob_operator.workqueue import ExponentialBackoff, ObjectKey, WorkQueue

from tests.support.clock import ManualClock
from tests.unit.operator.fakes import metrics

SUNSET, WAVES = ObjectKey("art", "sunset"), ObjectKey("art", "waves")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def queue(clock: ManualClock) -> WorkQueue:
    return WorkQueue(metrics(), clock=clock, jitter=lambda: 0.0)


def test_ten_events_between_two_looks_are_one_look(queue: WorkQueue) -> None:
    for _ in range(10):
        queue.add(SUNSET)
    assert (queue.try_get(), queue.try_get()) == (SUNSET, None)


def test_the_key_that_waits_longest_comes_first(queue: WorkQueue, clock: ManualClock) -> None:
    queue.add(WAVES)
    clock.forward(1)
    queue.add(SUNSET)
    queue.add(WAVES)
    assert (queue.try_get(), queue.try_get()) == (WAVES, SUNSET)


def test_a_key_is_never_given_to_two_workers(queue: WorkQueue) -> None:
    queue.add(SUNSET)
    assert queue.try_get() == SUNSET
    queue.add(SUNSET)
    assert queue.try_get() is None


def test_what_arrives_while_a_worker_has_the_key_is_looked_at_afterwards(queue: WorkQueue) -> None:
    queue.add(SUNSET)
    queue.try_get()
    queue.add(SUNSET)
    queue.done(SUNSET)
    assert queue.try_get() == SUNSET
    queue.done(SUNSET)
    assert queue.try_get() is None


def test_changes_go_before_the_resync(queue: WorkQueue, clock: ManualClock) -> None:
    queue.resync(WAVES)
    clock.forward(5)
    queue.add(SUNSET)
    assert (queue.try_get(), queue.try_get()) == (SUNSET, WAVES)


def test_a_change_lifts_a_key_out_of_the_resync_and_keeps_its_place_in_time(
    queue: WorkQueue, clock: ManualClock
) -> None:
    queue.resync(WAVES)
    queue.add(WAVES)
    assert len(queue) == 1
    assert (queue.try_get(), queue.try_get()) == (WAVES, None)


def test_a_resync_never_wakes_a_key_that_is_at_work(queue: WorkQueue) -> None:
    queue.add(SUNSET)
    queue.try_get()
    queue.resync(SUNSET)
    queue.done(SUNSET)
    assert queue.try_get() is None


def test_look_again_brings_the_key_back_at_its_time_and_not_before(queue: WorkQueue, clock: ManualClock) -> None:
    queue.add(SUNSET)
    queue.try_get()
    queue.done(SUNSET, requeue_after=30)
    clock.forward(29.9)
    assert queue.try_get() is None
    clock.forward(0.1)
    assert queue.try_get() == SUNSET


def test_the_newest_look_again_replaces_the_one_before(queue: WorkQueue, clock: ManualClock) -> None:
    for delay in (5, 50):
        queue.add(SUNSET)
        queue.try_get()
        queue.done(SUNSET, requeue_after=delay)
    clock.forward(49)
    assert queue.try_get() is None
    clock.forward(1)
    assert queue.try_get() == SUNSET


def test_a_look_without_wishes_clears_the_timer(queue: WorkQueue, clock: ManualClock) -> None:
    queue.add(SUNSET)
    queue.try_get()
    queue.done(SUNSET, requeue_after=5)
    queue.add(SUNSET)
    queue.try_get()
    queue.done(SUNSET)
    clock.forward(1000)
    assert queue.try_get() is None


def test_add_within_only_ever_brings_a_look_forward(queue: WorkQueue, clock: ManualClock) -> None:
    queue.add_after(SUNSET, 10)
    queue.add_after(SUNSET, 20)
    queue.add_after(SUNSET, 4)
    clock.forward(4)
    assert queue.try_get() == SUNSET
    queue.done(SUNSET)
    clock.forward(100)
    assert queue.try_get() is None


def test_a_key_that_keeps_failing_waits_longer_but_not_for_ever(queue: WorkQueue, clock: ManualClock) -> None:
    queue.add(SUNSET)
    delays = []
    for _ in range(12):
        assert queue.try_get() == SUNSET
        delays.append(queue.retry(SUNSET))
        clock.forward(delays[-1] - 0.01)
        assert queue.try_get() is None
        clock.forward(0.02)
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_success_ends_the_back_off(queue: WorkQueue, clock: ManualClock) -> None:
    queue.add(SUNSET)
    for _ in range(5):
        queue.try_get()
        clock.forward(queue.retry(SUNSET))
    queue.try_get()
    queue.done(SUNSET)
    queue.add(SUNSET)
    queue.try_get()
    assert queue.retry(SUNSET) == 1


def test_a_change_does_not_wait_for_the_back_off(queue: WorkQueue) -> None:
    queue.add(SUNSET)
    queue.try_get()
    queue.retry(SUNSET)
    queue.add(SUNSET)
    assert queue.try_get() == SUNSET


def test_jitter_takes_off_at_most_half() -> None:
    backoff = ExponentialBackoff(base_delay=1, max_delay=300)
    assert backoff.delay(3, jitter=1.0) == 2
    assert backoff.delay(3, jitter=0.0) == 4
    assert backoff.delay(10_000, jitter=0.5) == 225


def test_the_oldest_key_is_known_whether_it_waits_or_works(queue: WorkQueue, clock: ManualClock) -> None:
    assert queue.oldest_age() == 0
    queue.add(SUNSET)
    clock.forward(7)
    assert queue.oldest_age() == 7
    queue.try_get()
    clock.forward(3)
    queue.add(WAVES)
    assert queue.oldest_age() == 3
    queue.done(SUNSET)
    assert queue.oldest_age() == 0


def test_latency_and_retries_are_counted(clock: ManualClock) -> None:
    counters = metrics()
    queue = WorkQueue(counters, clock=clock)
    queue.add(SUNSET)
    clock.forward(3)
    queue.try_get()
    queue.retry(SUNSET)
    assert counters.registry.get_sample_value("workqueue_latency_seconds_sum") == 3
    assert counters.registry.get_sample_value("workqueue_retries_total") == 1


async def test_a_waiting_worker_is_woken_by_a_key() -> None:
    queue = WorkQueue(metrics())
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(SUNSET)
    assert await asyncio.wait_for(worker, 5) == SUNSET


async def test_a_waiting_worker_is_woken_by_a_timer() -> None:
    queue = WorkQueue(metrics())
    queue.add(SUNSET)
    queue.done(await queue.get(), requeue_after=0.01)
    assert await asyncio.wait_for(queue.get(), 5) == SUNSET


async def test_sixteen_waiting_workers_share_the_keys() -> None:
    queue = WorkQueue(metrics())
    workers = [asyncio.create_task(queue.get()) for _ in range(16)]
    await asyncio.sleep(0)
    keys = [ObjectKey("art", f"job-{number}") for number in range(16)]
    for key in keys:
        queue.add(key)
    assert sorted(await asyncio.wait_for(asyncio.gather(*workers), 5)) == sorted(keys)

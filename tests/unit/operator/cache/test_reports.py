"""Slots: the first, the last and every new state at once; all else at the pace the write budget allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from videojob_api.messages.report import ProgressState, Report
from videojob_operator.cache.reports import ReportBuffer
from videojob_operator.domain.observation.observed import ObservedPod

from tests.support.clock import ManualClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(number: int = 1) -> ObservedPod:
    return ObservedPod(uid=f"pod-{number}", name="x", job_uid="job-1", created=NOW + timedelta(minutes=number))


def report(sequence: int, *, state: ProgressState = ProgressState.RUNNING, **more: Any) -> Report:
    return Report(uid="uid-1", sequence=sequence, state=state, percent=sequence, observed_time=NOW, **more)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def slots(clock: ManualClock) -> ReportBuffer:
    return ReportBuffer(clock=clock, now=lambda: NOW)


def shown(slots: ReportBuffer) -> int | None:
    seen = slots.get("uid-1")
    return seen.report.sequence if seen else None


def test_the_first_report_is_shown_at_once(slots: ReportBuffer) -> None:
    assert shown(slots) is None
    assert slots.put("uid-1", report(1), pod()) == 0
    assert shown(slots) == 1


def test_the_next_one_waits_for_the_floor_of_two_seconds(slots: ReportBuffer, clock: ManualClock) -> None:
    slots.put("uid-1", report(1), pod())
    clock.forward(0.5)
    assert slots.put("uid-1", report(2), pod()) == 1.5
    assert (shown(slots), slots.next_flush("uid-1")) == (1, 1.5)
    clock.forward(1.5)
    assert (shown(slots), slots.next_flush("uid-1")) == (2, None)


def test_what_comes_meanwhile_replaces_what_waits(slots: ReportBuffer, clock: ManualClock) -> None:
    for sequence in (1, 2, 3, 4):
        slots.put("uid-1", report(sequence), pod())
    clock.forward(2)
    assert shown(slots) == 4


@pytest.mark.parametrize("state", [ProgressState.DONE, ProgressState.FAILED, ProgressState.CHECKPOINTING])
def test_a_new_state_does_not_wait(slots: ReportBuffer, state: ProgressState) -> None:
    slots.put("uid-1", report(1), pod())
    assert slots.put("uid-1", report(2, state=state), pod()) == 0
    assert shown(slots) == 2


def test_a_new_state_takes_along_what_waited(slots: ReportBuffer, clock: ManualClock) -> None:
    slots.put("uid-1", report(1), pod())
    slots.put("uid-1", report(2), pod())
    slots.put("uid-1", report(3, state=ProgressState.DONE), pod())
    clock.forward(10)
    assert (shown(slots), slots.next_flush("uid-1")) == (3, None)


def test_an_older_report_is_turned_away(slots: ReportBuffer) -> None:
    slots.put("uid-1", report(5), pod())
    assert slots.put("uid-1", report(5), pod()) is None
    assert slots.put("uid-1", report(4), pod()) is None
    assert shown(slots) == 5


def test_a_newer_pod_begins_anew_and_an_older_one_is_turned_away(slots: ReportBuffer) -> None:
    slots.put("uid-1", report(9), pod(1))
    assert slots.put("uid-1", report(1), pod(2)) == 0
    assert slots.put("uid-1", report(10), pod(1)) is None


def test_five_hundred_running_jobs_wait_ten_seconds_each(slots: ReportBuffer, clock: ManualClock) -> None:
    for number in range(500):
        slots.put(f"uid-{number}", report(1), pod())
    assert slots.reporting_jobs() == 500
    assert slots.put("uid-7", report(2), pod()) == 10


def test_jobs_that_have_ended_leave_the_budget_to_the_others(slots: ReportBuffer) -> None:
    for number in range(500):
        slots.put(f"uid-{number}", report(1), pod())
    for number in range(400):
        slots.put(f"uid-{number}", report(2, state=ProgressState.DONE), pod())
    assert slots.reporting_jobs() == 100
    assert slots.put("uid-450", report(2), pod()) == 2


def test_a_forgotten_slot_is_gone(slots: ReportBuffer) -> None:
    slots.put("uid-1", report(1), pod())
    slots.evict("uid-1")
    assert (shown(slots), slots.reporting_jobs(), len(slots), slots.next_flush("uid-1")) == (None, 0, 0, None)
    slots.evict("uid-1")

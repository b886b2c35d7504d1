"""Progress: the newest wins, nothing goes back within one pod, and a heartbeat is no write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from videojob_api.messages.report import ProgressState, Published, Report
from videojob_api.resource.status import OutputStatus, ProgressStatus
from videojob_operator.domain.observation.observed import ObservedReport
from videojob_operator.domain.observation.progress import (
    accept_report,
    enforce_monotonic,
    flush_interval,
    format_frames,
    is_urgent,
    merge_output,
    merge_progress,
    termination_report,
)

from tests.unit.operator.builders import DIGEST, NOW, UID, pod, report, seconds_ago, succeeded_pod
from tests.unit.operator.builders import termination_message as words_of

A, B = pod("a"), pod("b")


def taken(slot: ObservedReport | None, what: Report, *, later: float = 0, sender: Any = A) -> ObservedReport | None:
    now = NOW + timedelta(seconds=later)
    return accept_report(slot, what, pod_uid=sender.uid, pod_created=sender.created, now=now)


def must(slot: ObservedReport | None) -> ObservedReport:
    assert slot is not None
    return slot


@pytest.mark.parametrize(("running", "seconds"), [(0, 2), (1, 2), (100, 2), (101, 2.02), (10_000, 200)])
def test_all_jobs_together_keep_the_write_budget(running: int, seconds: float) -> None:
    assert flush_interval(running=running) == timedelta(seconds=seconds)


def test_the_first_report_is_taken() -> None:
    slot = must(taken(None, report(1, percent=3)))
    assert (slot.pod_uid, slot.pod_created, slot.received_at, slot.progressed_at) == (A.uid, A.created, NOW, NOW)
    assert slot.report.percent == 3


@pytest.mark.parametrize("sequence", [4, 5])
def test_an_older_or_repeated_report_of_the_same_pod_is_refused(sequence: int) -> None:
    assert taken(taken(None, report(5)), report(sequence)) is None


def test_a_newer_pod_beats_a_higher_number_of_an_older_one() -> None:
    slot = must(taken(taken(None, report(500, percent=90)), report(1, percent=2), sender=B))
    assert (slot.pod_uid, slot.report.sequence, slot.report.percent) == (B.uid, 1, 2)


def test_an_older_pod_never_comes_back() -> None:
    assert taken(taken(None, report(1), sender=B), report(500), sender=A) is None


def test_a_heartbeat_is_received_but_changes_nothing() -> None:
    slot = must(taken(taken(None, report(1, percent=3)), report(2, percent=3, message="still here"), later=30))
    assert slot.received_at == NOW + timedelta(seconds=30)
    assert slot.progressed_at == NOW


def test_a_change_moves_the_progress_deadline() -> None:
    slot = must(taken(taken(None, report(1, percent=3)), report(2, percent=4), later=30))
    assert slot.progressed_at == NOW + timedelta(seconds=30)


def test_a_new_pod_is_a_change_even_at_the_same_percent() -> None:
    slot = must(taken(taken(None, report(1, percent=3)), report(1, percent=3), later=30, sender=B))
    assert slot.progressed_at == NOW + timedelta(seconds=30)


def test_a_report_that_changes_only_the_total_is_written_but_is_no_progress() -> None:
    slot = must(taken(taken(None, report(1, frames_done=1)), report(2, frames_total=9), later=5))
    assert (slot.report.frames_done, slot.report.frames_total, slot.progressed_at) == (1, 9, NOW)


@given(st.lists(st.tuples(st.integers(0, 100), st.none() | st.integers(0, 50)), min_size=1, max_size=12))
def test_percent_and_frames_never_go_back_within_one_pod(steps: list[tuple[int, int | None]]) -> None:
    slot: ObservedReport | None = None
    for number, (percent, done) in enumerate(steps):
        slot = must(taken(slot, report(number, percent=percent, frames_done=done)))
    known = [done for _, done in steps if done is not None]
    assert must(slot).report.percent == max(percent for percent, _ in steps)
    assert must(slot).report.frames_done == max(known, default=None)


def test_a_missing_field_means_unchanged() -> None:
    before = report(1, frames_done=3, frames_total=12, published=Published(frames=2))
    after = enforce_monotonic(before, report(2))
    assert (after.frames_done, after.frames_total, after.published) == (3, 12, Published(frames=2))


@pytest.mark.parametrize(
    ("previous", "now", "at_once"),
    [
        (None, report(1), True),
        (report(1), report(2), False),
        (report(1), report(2, state=ProgressState.FINISHING), True),
    ],
    ids=["the first", "one of many", "a new state"],
)
def test_the_first_report_and_each_new_state_are_urgent(previous: Report | None, now: Report, at_once: bool) -> None:
    before = taken(None, previous) if previous else None
    assert is_urgent(before, must(taken(before, now))) is at_once


def test_a_new_pod_is_urgent() -> None:
    before = must(taken(None, report(9)))
    assert is_urgent(before, must(taken(before, report(1), sender=B)))


@pytest.mark.parametrize(
    ("done", "total", "column"), [(None, None, None), (None, 9, None), (3, None, "3"), (3, 12, "3/12"), (0, 0, "0/0")]
)
def test_the_frames_column(done: int | None, total: int | None, column: str | None) -> None:
    assert format_frames(done, total) == column


def test_a_pushed_report_becomes_the_status() -> None:
    told = report(4, percent=25, frames_done=3, frames_total=12, eta_seconds=9, message="warm")
    assert merge_progress(None, pushed=told, last=None) == ProgressStatus(
        state="running",
        percent=25,
        frames_done=3,
        frames_total=12,
        frames="3/12",
        eta_seconds=9,
        message="warm",
        sequence=4,
        observed_time=NOW,
        source="push",
    )


def test_nothing_told_is_nothing_known() -> None:
    before = ProgressStatus(state="running", percent=7)
    assert merge_progress(None, pushed=None, last=None) is None
    assert merge_progress(before, pushed=None, last=None) is before


def test_newer_last_words_beat_the_last_push() -> None:
    found = merge_progress(None, pushed=report(4, percent=90), last=report(5, percent=100, state=ProgressState.DONE))
    assert found is not None
    assert (found.percent, found.state, found.source) == (100, "done", "termination")


def test_last_words_that_were_pushed_too_count_as_pushed() -> None:
    found = merge_progress(None, pushed=report(5, percent=100), last=report(5, percent=100))
    assert found is not None
    assert found.source == "push"


@pytest.mark.parametrize("sequence", [3, 4])
def test_a_report_that_is_not_newer_than_the_status_changes_nothing(sequence: int) -> None:
    before = ProgressStatus(state="running", percent=40, sequence=4)
    assert merge_progress(before, pushed=report(sequence, percent=90), last=None) is before


def test_the_status_never_goes_back_even_after_the_operator_forgot_its_slot() -> None:
    before = ProgressStatus(state="running", percent=40, frames_done=5, frames_total=12, frames="5/12", sequence=4)
    found = merge_progress(before, pushed=report(5, percent=30, frames_done=4, message="m"), last=None)
    assert found is not None
    assert (found.percent, found.frames, found.message) == (40, "5/12", "m")


def test_a_heartbeat_is_not_worth_a_write() -> None:
    before = merge_progress(None, pushed=report(4, percent=40), last=None)
    assert merge_progress(before, pushed=report(5, percent=40, observed_time=seconds_ago(-30)), last=None) is before


def test_last_words_must_be_a_report_about_this_job() -> None:
    assert termination_report(succeeded_pod(words=words_of(report(3))), uid=UID) == report(3)
    assert termination_report(succeeded_pod(words=words_of(report(3))), uid="another") is None
    assert termination_report(succeeded_pod(words='{"uid": 3}'), uid=UID) is None
    assert termination_report(succeeded_pod(words="not even JSON"), uid=UID) is None
    assert termination_report(pod(), uid=UID) is None


def test_what_was_published_only_grows_and_a_digest_stays() -> None:
    first = Published(frames=12, bytes=900, manifest_digest=DIGEST, videos=["a.mp4"])
    second = Published(frames=3, bytes=100, url="s3://b/p/")
    found = merge_output(
        None, url="pvc://v/x/", reports=(report(1, published=first), None, report(2, published=second))
    )
    assert found == OutputStatus(url="s3://b/p/", manifest_digest=DIGEST, frames=12, bytes=900, videos=["a.mp4"])


def test_without_any_word_about_output_it_stays_as_it_was() -> None:
    before = OutputStatus(url="pvc://v/x/", frames=4)
    assert merge_output(before, url="other", reports=(report(1), None)) is before
    assert merge_output(None, url="other", reports=()) is None


def test_where_the_agent_does_not_say_the_plans_url_stands() -> None:
    found = merge_output(None, url="pvc://v/x/", reports=(report(1, published=Published(frames=1)),))
    assert found == OutputStatus(url="pvc://v/x/", frames=1)

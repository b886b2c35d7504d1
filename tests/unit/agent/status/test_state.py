"""What the agent knows, as a report."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
from videojob_agent.status.state import SharedState
from videojob_api.messages.report import Failure, ProgressState, Published, Report

from tests.support.clock import NOON
from tests.unit.agent.fakes import runner_status

COMMITTED = Published(frames=2, bytes=20, manifest_digest="sha256:" + "a" * 64, videos=["v.mp4"])


def report(board: SharedState) -> Report:
    return board.current.to_report("uid-1", sequence=7, time=NOON)


def test_a_job_without_a_status_is_starting() -> None:
    assert report(SharedState()).state is ProgressState.STARTING


@pytest.mark.parametrize(
    ("line", "phase", "state"),
    [
        ("STARTING u", "", ProgressState.STARTING),
        ("IN_PROGRESS u 3% 9s", "", ProgressState.RUNNING),
        ("IN_PROGRESS u 3% 9s", "running", ProgressState.RUNNING),
        ("IN_PROGRESS u 3% 9s", "dancing", ProgressState.RUNNING),
        ("IN_PROGRESS u 3% 9s", "checkpointing", ProgressState.CHECKPOINTING),
        ("IN_PROGRESS u 3% 9s", "encoding", ProgressState.FINISHING),
        ("COMPLETED u v.mp4", "finished", ProgressState.FINISHING),
        ("FAILED u", "finished", ProgressState.FAILED),
    ],
)
def test_the_runners_words_become_a_state(line: str, phase: str, state: ProgressState) -> None:
    board = SharedState()
    board.set_runner_status(runner_status(line, phase=phase))
    assert report(board).state is state


def test_done_means_that_the_manifest_is_committed() -> None:
    board = SharedState()
    board.set_runner_status(runner_status("COMPLETED u v.mp4"))
    board.set_published(COMMITTED.model_copy(update={"manifest_digest": None}))
    assert report(board).state is ProgressState.FINISHING
    board.set_published(COMMITTED)
    assert report(board).state is ProgressState.DONE
    assert report(board).published == COMMITTED


def test_a_video_that_could_not_be_published_has_failed_with_the_reason() -> None:
    board, failure = SharedState(), Failure(reason="BucketNotFound", message="gone")
    board.set_runner_status(runner_status("COMPLETED u v.mp4"))
    board.set_failure(failure)
    assert (report(board).state, report(board).failure) == (ProgressState.FAILED, failure)


def test_a_failed_runners_own_reason_is_told() -> None:
    board, failure = SharedState(), Failure(reason="BadConfig", message="prompts")
    board.set_runner_status(runner_status("FAILED u", failure=failure))
    assert report(board).failure == failure


def test_a_failed_runner_without_a_reason_gets_one() -> None:
    board = SharedState()
    board.set_runner_status(runner_status("FAILED u"))
    found = report(board).failure
    assert found is not None
    assert found.reason == "RunnerFailed"


def test_percent_survives_the_words_that_have_none() -> None:
    board = SharedState()
    board.set_runner_status(runner_status("IN_PROGRESS u 62% 9s"))
    board.set_runner_status(runner_status("FAILED u"))
    assert report(board).percent == 62


def test_completed_is_a_hundred_percent() -> None:
    board = SharedState()
    board.set_runner_status(runner_status("IN_PROGRESS u 62% 9s"))
    board.set_runner_status(runner_status("COMPLETED u v.mp4"))
    assert report(board).percent == 100


def test_details_fill_in_what_the_line_cannot_say() -> None:
    board = SharedState()
    board.set_runner_status(runner_status("IN_PROGRESS u 62% 9s", frames_done=3, frames_total=9, message="loss 0.4"))
    told = report(board)
    assert (told.frames_done, told.frames_total, told.eta_seconds, told.message) == (3, 9, 9, "loss 0.4")
    assert (told.uid, told.sequence, told.observed_time) == ("uid-1", 7, NOON)


def test_a_foreign_runners_frames_are_counted_as_they_are_stored() -> None:
    board = SharedState()
    board.set_runner_status(runner_status("IN_PROGRESS u 62% 9s"))
    assert report(board).frames_done is None
    board.set_published(Published(frames=4))
    assert report(board).frames_done == 4


def test_why_fetch_waits_is_told_before_other_trouble_and_until_the_runner_speaks() -> None:
    board = SharedState()
    board.set_warning("publishing waits: away")
    board.set_fetch_message("fetch waits: away")
    assert (report(board).state, report(board).message) == (ProgressState.STARTING, "fetch waits: away")
    board.set_runner_status(runner_status("STARTING u"))
    assert report(board).message == "publishing waits: away"


def test_fetch_that_goes_on_is_no_news_any_more() -> None:
    board = SharedState()
    board.set_fetch_message("fetch waits: away")
    board.set_fetch_message("")
    assert report(board).message == ""


def test_trouble_is_told_until_it_is_over() -> None:
    board = SharedState()
    board.set_warning("publishing waits: " + "x" * 999)
    assert report(board).message.startswith("publishing waits")
    assert len(report(board).message) == 256
    board.set_published(Published())
    assert report(board).message == ""


def test_whoever_waits_is_woken_by_news_and_by_the_end() -> None:
    board, woken = SharedState(), threading.Semaphore(0)

    def wait() -> None:
        known = board.current
        started.set()
        board.wait_for_change(known, timeout=60)
        woken.release()

    acts: list[Callable[[], None]] = [
        partial(board.set_runner_status, runner_status("STARTING u")),
        board.set_runner_exited,
        board.close,
    ]
    for act in acts:
        started = threading.Event()
        thread = threading.Thread(target=wait)
        thread.start()
        started.wait()
        act()
        assert woken.acquire(timeout=10)
        thread.join()


def test_the_same_news_again_is_no_news() -> None:
    board = SharedState()
    board.set_runner_status(runner_status("STARTING u"))
    known = board.current
    board.set_runner_status(runner_status("STARTING u"))
    assert board.current is known

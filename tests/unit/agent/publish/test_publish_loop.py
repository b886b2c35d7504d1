"""When what is published: the whole life of a job's output, step by step and without waiting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from videojob_agent import errors
from videojob_agent.backoff import Backoff
from videojob_agent.checkpoints.uploader import CheckpointUploader
from videojob_agent.errors import (
    AgentError,
    BucketNotFound,
    CredentialsRefused,
    EndpointUnreachable,
    OutputNotReadable,
    StorageRefused,
)
from videojob_agent.publish.publish_loop import PublishLoop
from videojob_agent.publish.publisher import Publisher
from videojob_agent.status.state import SharedState
from videojob_agent.status.status_file import RunnerStatus
from videojob_agent.wait_message import WaitMessage
from videojob_api.messages.report import Acknowledgement, ProgressState, Report

from tests.support.clock import NOON, ManualClock
from tests.unit.agent.attempt import SimulatedAttempt
from tests.unit.agent.fakes import MemoryStore, plan, runner_status, string_log, write_as_runner
from tests.unit.agent.test_errors import below

WORKING = "IN_PROGRESS uid-1 40% 7s"
COMPLETED = "COMPLETED uid-1 v.mp4"
FAILED = "FAILED uid-1"
FLUSH, PUBLISH = 60, 7200


@dataclass
class Stage:
    """One job, its runner played by the test."""

    io: Path
    clock: ManualClock
    store: MemoryStore
    board: SharedState
    publishing: PublishLoop

    def runner_says(self, status: str, **files: bytes) -> None:
        write_as_runner(self.io, status, **files)
        self.board.set_runner_status(runner_status(status))

    def saw(self, seen: RunnerStatus) -> None:
        self.board.set_runner_status(seen)

    def step(self, *, after: float = 0) -> float:
        self.clock.now += after
        return self.publishing.run_once()

    @property
    def over(self) -> bool:
        return self.publishing.finished.is_set()

    @property
    def report(self) -> Report:
        return self.board.current.to_report("uid-1", sequence=1, time=NOON)

    @property
    def reason(self) -> str | None:
        return self.report.failure.reason if self.report.failure else None

    @property
    def acknowledgement(self) -> Acknowledgement | None:
        path = self.io / ".videojob/published.json"
        return Acknowledgement.model_validate_json(path.read_bytes()) if path.exists() else None


def stage(tmp_path: Path, *, foreign: bool = False) -> Stage:
    io, clock, board = tmp_path / "io", ManualClock(), SharedState()
    store = MemoryStore(clock=clock)
    io.mkdir()
    orders = plan(io, custom_runner=foreign, flush_seconds=FLUSH, publish_seconds=PUBLISH)
    publisher = Publisher(orders, store, clock=clock, now=lambda: NOON)
    carrier, events = CheckpointUploader(orders, store, log=string_log()[0]), string_log()[0]
    words, backoff = WaitMessage(now=clock.wall), Backoff(draw=lambda: 1.0)
    publishing = PublishLoop(
        orders, publisher, board, carrier, log=events, clock=clock, wait_message=words, backoff=backoff
    )
    return Stage(io, clock, store, board, publishing)


@pytest.fixture
def ours(tmp_path: Path) -> Stage:
    return stage(tmp_path)


@pytest.fixture
def foreign(tmp_path: Path) -> Stage:
    return stage(tmp_path, foreign=True)


def test_frames_are_published_while_the_runner_works(ours: Stage) -> None:
    ours.runner_says(WORKING, frames__0=b"frame")
    ours.step()
    ours.step(after=2)
    assert ours.store.files == {"frames/0.png": b"frame"}
    assert ours.report.published is not None
    assert ours.report.published.frames == 1
    assert not ours.over


def test_our_runners_video_is_published_at_once(ours: Stage) -> None:
    ours.runner_says(COMPLETED, frames__0=b"frame", v=b"movie")
    ours.step()
    assert ours.over
    assert set(ours.store.files) == {"frames/0.png", "v.mp4"}
    assert ours.store.committed is not None
    assert ours.report.state is ProgressState.DONE
    assert ours.acknowledgement == Acknowledgement(uid="uid-1", published=True)


def test_a_foreign_runners_files_must_settle_before_the_commit(foreign: Stage) -> None:
    foreign.runner_says(COMPLETED, v=b"mov")
    foreign.step()
    assert foreign.store.committed is None
    foreign.runner_says(COMPLETED, v=b"movie")
    foreign.step(after=2)
    assert foreign.store.committed is None
    foreign.step(after=2)
    assert foreign.over
    assert foreign.store.files == {"v.mp4": b"movie"}


def test_a_foreign_runner_may_write_its_video_after_its_last_word(foreign: Stage) -> None:
    foreign.runner_says(COMPLETED)
    foreign.step()
    foreign.step(after=5)
    assert not foreign.over
    foreign.runner_says(COMPLETED, v=b"movie")
    foreign.step()
    foreign.step(after=2)
    assert foreign.report.state is ProgressState.DONE


def test_when_a_foreign_runner_is_gone_its_files_count_as_they_are(foreign: Stage) -> None:
    foreign.runner_says(COMPLETED, v=b"movie")
    foreign.board.set_runner_exited()
    foreign.step()
    assert foreign.report.state is ProgressState.DONE


@pytest.mark.parametrize("video", [{}, {"v": b""}])
def test_completed_without_a_video_is_not_published(ours: Stage, video: dict[str, bytes]) -> None:
    ours.runner_says(COMPLETED, frames__0=b"frame", **video)
    ours.step()
    assert ours.store.committed is None
    assert (ours.report.state, ours.reason) == (ProgressState.FAILED, "NoVideo")
    assert ours.acknowledgement is not None
    assert not ours.acknowledgement.published
    assert ours.acknowledgement.failure is not None
    assert "mp4" in ours.acknowledgement.failure.message


def test_a_foreign_runner_that_leaves_without_a_video_has_failed(foreign: Stage) -> None:
    foreign.runner_says(COMPLETED)
    foreign.step()
    foreign.board.set_runner_exited()
    foreign.step()
    assert foreign.reason == "NoVideo"


def test_a_failed_runners_frames_and_logs_are_published_without_a_manifest(ours: Stage) -> None:
    ours.runner_says(FAILED, frames__0=b"frame")
    (ours.io / "output/run.log").write_text("why")
    ours.step()
    assert set(ours.store.files) == {"frames/0.png", "run.log"}
    assert ours.store.committed is None
    assert ours.over
    assert (ours.report.state, ours.reason) == (ProgressState.FAILED, "RunnerFailed")


def test_a_runner_that_leaves_without_a_last_word_has_its_frames_saved(ours: Stage) -> None:
    ours.runner_says(WORKING, frames__0=b"frame")
    ours.board.set_runner_exited()
    ours.step()
    assert ours.over
    assert ours.store.files == {"frames/0.png": b"frame"}
    assert (ours.report.state, ours.report.percent, ours.reason) == (ProgressState.RUNNING, 40, None)


def test_a_runner_that_never_spoke_leaves_nothing(ours: Stage) -> None:
    ours.board.set_runner_exited()
    ours.step()
    assert ours.over
    assert ours.report.state is ProgressState.STARTING


def test_a_manifest_of_an_earlier_pod_of_this_job_ends_it_at_once(ours: Stage, tmp_path: Path) -> None:
    ours.runner_says(COMPLETED, v=b"movie")
    ours.step()
    (tmp_path / "next").mkdir()
    later = stage(tmp_path / "next")
    later.store.committed = ours.store.committed
    later.step()
    assert later.over
    assert later.report.state is ProgressState.DONE
    assert later.report.published == ours.report.published
    assert later.store.files == {}


def test_trouble_while_the_runner_works_is_waited_out_and_told(ours: Stage) -> None:
    ours.runner_says(WORKING, frames__0=b"frame")
    ours.store.refusals = [EndpointUnreachable("the bucket is away")]
    ours.step()
    assert "the bucket is away" in ours.report.message
    assert not ours.over
    ours.step(after=30)
    ours.step(after=2)
    assert ours.report.message == ""
    assert ours.store.files == {"frames/0.png": b"frame"}


@pytest.mark.parametrize("error", [BucketNotFound("none"), CredentialsRefused("no"), EndpointUnreachable("away")])
def test_no_trouble_stops_a_runner_that_still_works(ours: Stage, error: AgentError) -> None:
    ours.runner_says(WORKING)
    ours.store.refusals = [error] * 100
    for _ in range(100):
        ours.step(after=60)
    assert not ours.over
    assert ours.acknowledgement is None


def give_up_after(stage: Stage, error: AgentError) -> float:
    """Seconds until it is given up, with this error at each try, and each pause kept."""
    began, pause = stage.clock.now, 0.0
    while not stage.over:
        stage.store.refusals = [error]
        pause = stage.step(after=pause)
    return stage.clock.now - began


HELD: dict[type[AgentError], int] = {
    errors.AlreadyCommitted: PUBLISH,
    errors.BucketNotFound: PUBLISH,
    errors.CredentialsRefused: PUBLISH,
    errors.EndpointUnreachable: PUBLISH,
    errors.InputNotFound: PUBLISH,
    errors.OutputNotWritable: PUBLISH,
    errors.ScratchFailed: PUBLISH,
    errors.ScratchFull: PUBLISH,
    errors.StorageRefused: PUBLISH,
    errors.NoVideo: 0,
    errors.OutputNotReadable: 0,
    errors.OutputOccupied: 0,
    errors.UnsafePath: 0,
}
"""How long a finished output of our runner is held, by what stands in its way."""
ONLY_FETCH = {
    errors.CheckpointRefused,
    errors.DigestMismatch,
    errors.SizeMismatch,
    errors.PermanentError,
    errors.TransientError,
}
"""What publishing never meets, or never as it stands here."""


def test_it_is_thought_through_for_every_error_how_long_a_finished_output_is_held() -> None:
    assert set(below(AgentError)) == HELD.keys() | ONLY_FETCH


@pytest.mark.parametrize("kind", HELD, ids=lambda kind: kind.__name__)
def test_a_finished_output_is_held_as_long_as_somebody_may_mend_it(ours: Stage, kind: type[AgentError]) -> None:
    ours.runner_says(COMPLETED, v=b"movie")
    assert give_up_after(ours, kind("what it says")) == HELD[kind]
    assert ours.reason == kind.__name__
    assert ours.acknowledgement is not None
    assert not ours.acknowledgement.published


@pytest.mark.parametrize("kind", [kind for kind, seconds in HELD.items() if seconds], ids=lambda kind: kind.__name__)
def test_what_is_mended_in_the_last_minute_is_published(ours: Stage, kind: type[AgentError]) -> None:
    ours.runner_says(COMPLETED, frames__0=b"frame", v=b"movie")
    pause = 0.0
    while ours.clock.now < 1000 + PUBLISH - 60:
        ours.store.refusals = [kind("not yet")]
        pause = ours.step(after=pause)
    ours.step(after=pause)
    assert ours.report.state is ProgressState.DONE
    assert ours.report.message == ""
    assert ours.acknowledgement == Acknowledgement(uid="uid-1", published=True)


def test_a_store_that_is_back_is_used_within_a_minute(ours: Stage) -> None:
    ours.runner_says(COMPLETED, v=b"movie")
    ours.store.refusals = [EndpointUnreachable("away")] * 50
    pauses = [ours.step(after=60) for _ in range(50)]
    assert pauses[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert max(pauses) == 60


def test_files_that_were_stored_before_the_store_went_away_are_not_sent_again(ours: Stage) -> None:
    ours.runner_says(COMPLETED, frames__0=b"frame", v=b"movie")
    ours.store.away_until = {"v.mp4": 1000 + 6000}
    for _ in range(99):
        ours.step(after=60)
    assert not ours.over
    ours.step(after=60)
    assert ours.over
    assert ours.store.order == ["frames/0.png", "v.mp4"]


def test_trouble_of_long_ago_does_not_shorten_a_finished_outputs_time(ours: Stage) -> None:
    ours.runner_says(WORKING)
    ours.store.refusals = [EndpointUnreachable("away")] * 200
    for _ in range(200):
        ours.step(after=60)
    ours.runner_says(COMPLETED, v=b"movie")
    assert give_up_after(ours, EndpointUnreachable("away")) == PUBLISH


def test_sending_a_large_film_for_hours_is_no_waiting(ours: Stage) -> None:
    ours.runner_says(COMPLETED, frames__0=b"frame", v=b"movie")
    ours.store.seconds_for = {"frames/0.png": 3 * PUBLISH}
    ours.store.away_until = {"v.mp4": 1000 + 3 * PUBLISH + 60}
    ours.step()
    assert not ours.over
    ours.step(after=60)
    assert ours.report.state is ProgressState.DONE


def test_each_file_that_is_stored_begins_the_wait_anew(ours: Stage) -> None:
    frames = {f"frames__{number}": b"frame" for number in range(3)}
    ours.runner_says(COMPLETED, **frames, v=b"movie")
    ours.store.away_until = {f"frames/{number}.png": 1000 + 6000 * (number + 1) for number in range(3)}
    while ours.clock.now < 1000 + 3 * 6000 - 100:
        ours.step(after=100)
    assert not ours.over
    ours.step(after=100)
    assert ours.report.state is ProgressState.DONE


def test_a_held_output_is_told_in_words_that_change_in_a_handful_of_steps(ours: Stage) -> None:
    ours.runner_says(COMPLETED, v=b"movie")
    told: list[str] = []
    for number in range(7000):
        ours.store.refusals = [EndpointUnreachable(f"try {number}")]
        ours.step(after=1)
        told.append(ours.report.message)
    head, tail = "the finished output waits", ", until 2026-05-01 14:00 UTC (2 hours): restore the storage service. "
    assert list(dict.fromkeys(told)) == [
        f"{head}{tail}EndpointUnreachable: try 0",
        f"{head} for over 1 minute{tail}EndpointUnreachable: try 60",
        f"{head} for over 10 minutes{tail}EndpointUnreachable: try 600",
        f"{head} for over 1 hour{tail}EndpointUnreachable: try 3600",
    ]


def test_who_gives_up_says_for_how_long_it_has_waited(ours: Stage) -> None:
    ours.runner_says(COMPLETED, v=b"movie")
    give_up_after(ours, BucketNotFound("s3://art/: no such bucket"))
    assert ours.report.failure is not None
    assert ours.report.failure.message == "the finished output waited for 2 hours: s3://art/: no such bucket"


@pytest.mark.parametrize("error", [CredentialsRefused("no"), OutputNotReadable("modes"), EndpointUnreachable("away")])
def test_nothing_is_given_up_before_a_foreign_runner_is_gone(foreign: Stage, error: AgentError) -> None:
    foreign.runner_says(COMPLETED, v=b"movie")
    for _ in range(200):
        foreign.store.refusals = [error]
        foreign.step(after=3600)
    assert not foreign.over
    foreign.board.set_runner_exited()
    foreign.step()
    assert foreign.report.state is ProgressState.DONE


@pytest.mark.parametrize("error", [CredentialsRefused("no"), EndpointUnreachable("away"), StorageRefused("quota")])
def test_once_the_runner_is_gone_only_half_of_the_grace_period_counts(foreign: Stage, error: AgentError) -> None:
    foreign.runner_says(COMPLETED, v=b"movie")
    foreign.board.set_runner_exited()
    assert give_up_after(foreign, error) == FLUSH
    assert foreign.reason == type(error).__name__


def test_an_interrupted_runners_last_checkpoint_may_wait_for_its_store_as_long_as_the_pod_stays(ours: Stage) -> None:
    ours.runner_says(WORKING, frames__0=b"frame")
    ours.board.set_runner_exited()
    ours.store.refusals = [EndpointUnreachable("away")] * 3
    for _ in range(3):
        ours.step(after=15)
    assert not ours.over
    ours.step(after=14)
    assert ours.store.files == {"frames/0.png": b"frame"}
    assert (ours.over, ours.reason) == (True, None)


@pytest.mark.parametrize(("error", "seconds"), [(EndpointUnreachable("away"), FLUSH), (BucketNotFound("none"), 0)])
def test_an_interrupted_runners_pod_goes_after_half_of_the_grace_period(
    ours: Stage, error: AgentError, seconds: int
) -> None:
    ours.runner_says(WORKING, frames__0=b"frame")
    ours.board.set_runner_exited()
    assert give_up_after(ours, error) == seconds
    assert ours.reason is None


def test_the_runner_is_acknowledged_before_checkpoints_are_removed(tmp_path: Path) -> None:
    class Looking(MemoryStore):
        def remove(self, name: str) -> None:
            seen.append(attempt.publishing.finished.is_set())
            super().remove(name)

    seen: list[bool] = []
    attempt = SimulatedAttempt.at(tmp_path, Looking())
    attempt.saves(20, frames=0)
    attempt.step()
    attempt.says(COMPLETED, v=b"movie")
    attempt.step()
    assert seen
    assert all(seen)


def test_a_failed_runners_reason_is_not_hidden_by_trouble_with_publishing(ours: Stage) -> None:
    ours.runner_says(FAILED, frames__0=b"frame")
    ours.store.refusals = [BucketNotFound("none")] * 9
    ours.step()
    ours.board.set_runner_exited()
    ours.step()
    assert (ours.over, ours.reason) == (True, "RunnerFailed")


def test_a_word_that_cannot_be_left_is_no_reason_to_fail(ours: Stage) -> None:
    ours.runner_says(COMPLETED, v=b"movie")
    (ours.io / ".videojob").symlink_to("/etc")
    ours.step()
    assert ours.report.state is ProgressState.DONE


def test_listing_many_files_slows_the_steps_down(tmp_path: Path) -> None:
    class Slow(MemoryStore):
        def manifest(self) -> bytes | None:
            clock.now += 3
            return None

    (tmp_path / "io").mkdir()
    clock, orders = ManualClock(), plan(tmp_path / "io")
    publisher = Publisher(orders, Slow(), clock=clock, now=lambda: NOON)
    carrier, events = CheckpointUploader(orders, Slow(), log=string_log()[0]), string_log()[0]
    assert PublishLoop(orders, publisher, SharedState(), carrier, log=events, clock=clock).run_once() == pytest.approx(
        30
    )

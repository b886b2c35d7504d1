"""When what is published: the whole life of a job's output, step by step and without waiting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from videojob_agent import publishing as module
from videojob_agent.board import Board
from videojob_agent.carrying import Carrier
from videojob_agent.errors import (
    AgentError,
    BucketNotFound,
    CredentialsRefused,
    EndpointUnreachable,
    OutputOccupied,
)
from videojob_agent.publisher import Publisher
from videojob_agent.publishing import Publishing
from videojob_agent.status_file import Sight
from videojob_api.report import Acknowledgement, ProgressState, Report

from tests.unit.agent.agent_fakes import NOON, ManualClock, MemoryStore, plan, quiet, runner_writes, sight

WORKING = "IN_PROGRESS uid-1 40% 7s"
COMPLETED = "COMPLETED uid-1 v.mp4"
FAILED = "FAILED uid-1"
FLUSH = 60


@dataclass
class Stage:
    """One job, its runner played by the test."""

    io: Path
    clock: ManualClock
    store: MemoryStore
    board: Board
    publishing: Publishing

    def runner_says(self, status: str, **files: bytes) -> None:
        runner_writes(self.io, status, **files)
        self.board.saw(sight(status))

    def saw(self, seen: Sight) -> None:
        self.board.saw(seen)

    def step(self, *, after: float = 0) -> float:
        self.clock.now += after
        return self.publishing.step()

    @property
    def over(self) -> bool:
        return self.publishing.over.is_set()

    @property
    def report(self) -> Report:
        return self.board.known.report("uid-1", sequence=1, time=NOON)

    @property
    def reason(self) -> str | None:
        return self.report.failure.reason if self.report.failure else None

    @property
    def acknowledgement(self) -> Acknowledgement | None:
        path = self.io / ".videojob/published.json"
        return Acknowledgement.model_validate_json(path.read_bytes()) if path.exists() else None


def stage(tmp_path: Path, *, foreign: bool = False) -> Stage:
    io, clock, store, board = tmp_path / "io", ManualClock(), MemoryStore(), Board()
    io.mkdir()
    orders = plan(io, foreign=foreign, flush_seconds=FLUSH)
    publisher = Publisher(orders, store, clock=clock, now=lambda: NOON)
    carrier, events = Carrier(orders, store, events=quiet()[0]), quiet()[0]
    return Stage(io, clock, store, board, Publishing(orders, publisher, board, carrier, events=events, clock=clock))


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
    foreign.board.left()
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
    foreign.board.left()
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
    ours.board.left()
    ours.step()
    assert ours.over
    assert ours.store.files == {"frames/0.png": b"frame"}
    assert (ours.report.state, ours.report.percent, ours.reason) == (ProgressState.RUNNING, 40, None)


def test_a_runner_that_never_spoke_leaves_nothing(ours: Stage) -> None:
    ours.board.left()
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
    """Seconds from COMPLETED until it is given up, with this error every second."""
    began = stage.clock.now
    stage.store.refusals = [error] * 5000
    while not stage.over:
        stage.step(after=1)
    return stage.clock.now - began


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (EndpointUnreachable("away"), module.TROUBLE_SECONDS),
        (CredentialsRefused("no"), module.KEYS_SECONDS),
        (BucketNotFound("none"), 0),
        (OutputOccupied("taken"), 0),
    ],
)
def test_a_finished_video_waits_as_long_as_there_is_hope(ours: Stage, error: AgentError, seconds: float) -> None:
    ours.runner_says(COMPLETED, v=b"movie")
    assert give_up_after(ours, error) == pytest.approx(seconds, abs=2)
    assert ours.reason == type(error).__name__
    assert ours.acknowledgement is not None
    assert not ours.acknowledgement.published


def test_trouble_of_long_ago_does_not_shorten_a_finished_videos_chance(ours: Stage) -> None:
    ours.runner_says(WORKING)
    ours.store.refusals = [EndpointUnreachable("away")] * 100
    for _ in range(100):
        ours.step(after=60)
    ours.runner_says(COMPLETED, v=b"movie")
    assert give_up_after(ours, EndpointUnreachable("away")) == pytest.approx(module.TROUBLE_SECONDS, abs=2)


def test_once_the_runner_is_gone_only_the_grace_period_counts(ours: Stage) -> None:
    ours.runner_says(COMPLETED, v=b"movie")
    ours.board.left()
    assert give_up_after(ours, EndpointUnreachable("away")) == pytest.approx(FLUSH, abs=2)


def test_trouble_after_an_interruption_is_not_waited_out(ours: Stage) -> None:
    ours.runner_says(WORKING, frames__0=b"frame")
    ours.board.left()
    assert give_up_after(ours, EndpointUnreachable("away")) == pytest.approx(0, abs=1)
    assert ours.reason is None


def test_a_failed_runners_reason_is_not_hidden_by_trouble_with_publishing(ours: Stage) -> None:
    ours.runner_says(FAILED, frames__0=b"frame")
    ours.store.refusals = [BucketNotFound("none")] * 9
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
    carrier, events = Carrier(orders, Slow(), events=quiet()[0]), quiet()[0]
    assert Publishing(orders, publisher, Board(), carrier, events=events, clock=clock).step() == pytest.approx(30)

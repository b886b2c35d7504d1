"""Checkpoints: complete or not there, of this very job, two generations."""

import signal
from pathlib import Path

import pytest
from videojob_runner.contract.checkpoints import CheckpointStore
from videojob_runner.errors import Interrupted
from videojob_runner.process.signals import StopFlag


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def slot(folder: Path, *, uid: str = "u", digest: str = "d", clock: Clock | None = None) -> CheckpointStore:
    return CheckpointStore(folder=folder, uid=uid, digest=digest, stop=StopFlag(), clock=clock or Clock(), seed=7)


def writes(text: str) -> "Writes":
    return Writes(text)


class Writes:
    """An engine's writing: one file in a sub-folder, counted."""

    def __init__(self, text: str) -> None:
        self.text, self.calls = text, 0

    def __call__(self, folder: Path) -> None:
        assert list(folder.iterdir()) == [], "an engine starts with an empty folder"
        (folder / "state").mkdir()
        (folder / "state" / "z").write_text(self.text)
        self.calls += 1


def content(folder: Path | None) -> str:
    return (folder / "state" / "z").read_text() if folder else "none"


def test_the_newest_of_two_generations_is_offered(tmp_path: Path) -> None:
    checkpoints = slot(tmp_path)
    for step in (5, 90, 1000):
        checkpoints.save(step, writes(f"at {step}"))
    assert content(checkpoints.latest()) == "at 1000"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000000090", "step-000000001000"]


def test_without_any_there_is_none(tmp_path: Path) -> None:
    assert slot(tmp_path / "nothing").latest() is None


def test_a_crash_while_writing_leaves_the_last_good_one(tmp_path: Path) -> None:
    checkpoints = slot(tmp_path)
    checkpoints.save(1, writes("good"))

    def crash(folder: Path) -> None:
        (folder / "z").write_text("half")
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        checkpoints.save(2, crash)
    assert content(slot(tmp_path).latest()) == "good"
    checkpoints.save(2, writes("second try"))
    assert content(slot(tmp_path).latest()) == "second try"


@pytest.mark.parametrize("damage", ["", "{", '{"uid": "u"}'])
def test_one_whose_marker_is_torn_does_not_count(tmp_path: Path, damage: str) -> None:
    checkpoints = slot(tmp_path)
    checkpoints.save(1, writes("good"))
    (checkpoints.save(2, writes("torn")) / "complete").write_text(damage)
    assert content(checkpoints.latest()) == "good"


@pytest.mark.parametrize("other", [{"uid": "v"}, {"digest": "e"}])
def test_one_of_another_job_or_another_question_is_not_offered_and_goes(tmp_path: Path, other: dict[str, str]) -> None:
    slot(tmp_path).save(1, writes("theirs"))
    (tmp_path / ".step-000000000002.part").mkdir()
    (tmp_path / "notes").mkdir()
    checkpoints = slot(tmp_path, **other)  # type: ignore[arg-type]
    assert checkpoints.latest() is None
    checkpoints.remove_stale()
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_the_marker_says_what_made_it(tmp_path: Path) -> None:
    checkpoints = slot(tmp_path)
    checkpoints.versions["torch"] = "2.13.0"
    checkpoints.save(3, writes("x"))
    marker = slot(tmp_path).latest_marker()
    assert marker is not None
    assert (marker.step, marker.seed, marker.versions) == (3, 7, {"torch": "2.13.0"})


def test_the_marker_says_how_many_frames_were_on_disk_when_it_was_written(tmp_path: Path) -> None:
    on_disk: list[int] = []
    checkpoints = slot(tmp_path)
    checkpoints.before_save = lambda: on_disk.extend([0, 1])
    checkpoints.count_frames = lambda: len(on_disk)
    checkpoints.save(3, writes("x"))
    marker = checkpoints.latest_marker()
    assert marker is not None
    assert marker.frames == 2


def test_a_visit_saves_when_the_interval_is_over_and_not_before(tmp_path: Path) -> None:
    clock, engine = Clock(), writes("x")
    checkpoints = slot(tmp_path, clock=clock)
    for step, now in enumerate((0, 100, 299, 301, 302, 600, 602)):
        clock.now = now
        checkpoints.maybe_save(step, engine)
    assert engine.calls == 2, "at 301 and at 602"


def test_a_visit_after_sigterm_saves_and_then_interrupts(tmp_path: Path) -> None:
    order: list[str] = []
    checkpoints = slot(tmp_path)
    checkpoints.before_save = lambda: order.append("frames are on disk")
    checkpoints.maybe_save(1, writes("early"))
    checkpoints.stop.handle(signal.SIGTERM)  # type: ignore[attr-defined]
    with pytest.raises(Interrupted) as caught:
        checkpoints.maybe_save(2, lambda folder: order.append("saved"))
    assert order == ["frames are on disk", "saved"]
    assert caught.value.exit_code == 75
    marker = checkpoints.latest_marker()
    assert marker is not None
    assert marker.step == 2

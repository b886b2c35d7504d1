"""STATUS and STATUS.json: exact lines, a remaining time that is true, and files nobody sees half-written."""

import json
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from videojob_api.contract.status import StatusDetails, parse_status_line
from videojob_api.messages.report import Failure
from videojob_runner.contract.status import StatusWriter
from videojob_runner.errors import RunnerError


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def line(root: Path) -> str:
    return (root / "STATUS").read_text()


def details(root: Path) -> StatusDetails:
    return StatusDetails.model_validate_json((root / "STATUS.json").read_bytes())


def test_percent_is_the_floor_of_the_index_just_finished(tmp_path: Path) -> None:
    status = StatusWriter(tmp_path)
    status.starting("u")
    seen = []
    for done in range(1, 101):
        status.progress(done, 100)
        seen.append(int(line(tmp_path).split()[2].rstrip("%")))
    assert seen == list(range(100))
    assert seen[29] == 29, "floating point would say 28"


def test_the_first_report_starts_the_clock_so_loading_models_is_not_work(tmp_path: Path) -> None:
    clock = Clock()
    status = StatusWriter(tmp_path, clock=clock)
    status.starting("u")
    clock.now = 600.0
    status.progress(1, 10)
    assert line(tmp_path) == "IN_PROGRESS u 0% unknown"
    clock.now += 2.0
    status.progress(2, 10)
    assert line(tmp_path) == "IN_PROGRESS u 10% 16s"


def test_a_resumed_run_is_judged_by_its_own_pace(tmp_path: Path) -> None:
    clock = Clock()
    status = StatusWriter(tmp_path, clock=clock)
    status.starting("u")
    status.progress(501, 1000)
    assert line(tmp_path) == "IN_PROGRESS u 50% unknown"
    clock.now += 3.0
    status.progress(502, 1000)
    assert line(tmp_path) == f"IN_PROGRESS u 50% {3 * 498}s"


def test_the_pace_follows_a_machine_that_becomes_slower(tmp_path: Path) -> None:
    clock = Clock()
    status = StatusWriter(tmp_path, clock=clock)
    status.starting("u")
    for done in range(1, 401):
        clock.now += 1.0 if done <= 200 else 5.0
        status.progress(done, 1000)
    eta = parse_status_line(line(tmp_path)).eta_seconds
    assert eta == 600 * 5, "the fast beginning is forgotten"


def test_nothing_remains_after_the_last_unit_but_100_percent_is_for_completed(tmp_path: Path) -> None:
    clock = Clock()
    status = StatusWriter(tmp_path, clock=clock)
    status.starting("u")
    for done in (1, 2, 3):
        clock.now += 1
        status.progress(done, 3)
    assert line(tmp_path) == "IN_PROGRESS u 66% 0s"
    status.completed("u.mp4")
    assert line(tmp_path) == "COMPLETED u u.mp4"


@pytest.mark.parametrize(("done", "total"), [(0, 3), (4, 3), (-1, 3), (1, 0)])
def test_reports_outside_the_work_are_an_error_of_the_engine(tmp_path: Path, done: int, total: int) -> None:
    with pytest.raises(RunnerError, match=f"not {done} of {total}"):
        StatusWriter(tmp_path).progress(done, total)


def test_details_repeat_the_line_and_say_what_it_cannot(tmp_path: Path) -> None:
    clock = Clock()
    status = StatusWriter(tmp_path, clock=clock)
    status.starting("u")
    assert (details(tmp_path).phase, details(tmp_path).line) == ("starting", "STARTING u")
    status.frames_done, status.frames_total = (lambda: 7), 20
    status.versions["torch"] = "2.13.0"
    status.progress(40, 100, "frame 8 of 20", metrics={"loss": 0.5, "broken": float("nan")})
    clock.now += 1
    status.progress(41, 100, "frame 9 of 20", metrics={"lr": 0.1})
    seen = details(tmp_path)
    assert seen.line == line(tmp_path) == "IN_PROGRESS u 40% 59s"
    assert (seen.uid, seen.state, seen.phase, seen.eta_seconds) == ("u", "IN_PROGRESS", "running", 59)
    assert (seen.frames_done, seen.frames_total, seen.message) == (7, 20, "frame 9 of 20")
    assert seen.metrics == {"loss": 0.5, "lr": 0.1}
    assert seen.versions == {"torch": "2.13.0"}


def test_a_phase_changes_the_details_and_keeps_the_line(tmp_path: Path) -> None:
    status = StatusWriter(tmp_path)
    status.starting("u")
    status.progress(3, 4)
    before = line(tmp_path)
    status.phase("encoding")
    assert (line(tmp_path), details(tmp_path).phase) == (before, "encoding")


def test_a_failure_carries_its_reason_beside_the_line(tmp_path: Path) -> None:
    status = StatusWriter(tmp_path)
    status.starting("u")
    status.failed(Failure(reason="BadConfig", message="prompts: empty"))
    assert line(tmp_path) == "FAILED u"
    assert details(tmp_path).failure == Failure(reason="BadConfig", message="prompts: empty")


def test_details_are_there_before_the_line_that_refers_to_them(tmp_path: Path) -> None:
    status = StatusWriter(tmp_path)
    status.starting("u")
    status.failed(Failure(reason="X"))
    assert (tmp_path / "STATUS.json").stat().st_mtime_ns <= (tmp_path / "STATUS").stat().st_mtime_ns


def test_a_line_that_says_nothing_new_is_written_once_a_second_at_most(tmp_path: Path) -> None:
    clock = Clock()
    status = StatusWriter(tmp_path, clock=clock)
    status.starting("u")
    status.progress(1, 100_000, "first")
    for done in range(2, 50):
        clock.now += 1e-9
        status.progress(done, 100_000, f"unit {done}")
    assert details(tmp_path).message == "unit 2", "the line changed once, from unknown to 0s"
    clock.now += 1.0
    status.progress(50, 100_000, "unit 50")
    assert details(tmp_path).message == "unit 50"


def test_a_reader_never_sees_half_a_line(tmp_path: Path) -> None:
    status, done, bad = StatusWriter(tmp_path), threading.Event(), []
    status.starting("u" * 200)

    def read() -> None:
        while not done.is_set():
            try:
                parse_status_line(line(tmp_path))
                json.loads((tmp_path / "STATUS.json").read_text())
            except ValueError as error:
                bad.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for unit in range(1, 300):
        status.progress(unit, 300)
    done.set()
    reader.join()
    assert bad == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["STATUS", "STATUS.json"]


def test_long_messages_are_cut_rather_than_refused(tmp_path: Path) -> None:
    status = StatusWriter(tmp_path)
    status.starting("u")
    status.progress(1, 2, "x" * 5000)
    assert len(details(tmp_path).message) == 256

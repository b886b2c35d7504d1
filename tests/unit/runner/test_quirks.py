"""The quirk register (specification vqgan-clip §10), rows of the container's contract; the bug list has details."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from videojob_api.contract.launch import RunMode
from videojob_api.contract.status import parse_status_line
from videojob_runner.contract.job import video_name
from videojob_runner.engine.api import TaskContext
from videojob_runner.errors import BadInput
from videojob_runner.process.command_line import parse_command_line
from videojob_runner.process.main import main

from tests.unit.runner.fakes import LEGACY_CONFIG, FakeEngine, RunnerHarness


def test_q_01_without_a_seed_image_there_is_a_video_and_without_any_prompt_nothing_starts(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    assert bench.run(RunMode.PROD) == 0
    assert bench.videos == ["a_b.mp4"]
    engine = FakeEngine()
    bench.configure(LEGACY_CONFIG | {"prompt": " | "})
    assert bench.run(RunMode.PROD, engine=engine) == 64
    assert (bench.status, engine.contexts) == ("FAILED a b", [])


def test_q_02_a_missing_or_null_init_image_is_none(tmp_path: Path) -> None:
    for config in (LEGACY_CONFIG, LEGACY_CONFIG | {"init_image": None}):
        assert RunnerHarness(tmp_path, config).run(RunMode.PROD) == 0


def test_q_03_a_failure_before_the_first_iteration_is_a_failure(tmp_path: Path) -> None:
    def load(_context: TaskContext) -> None:
        raise BadInput("models.generator: there is no pack")

    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    assert bench.run(RunMode.PROD, engine=FakeEngine(before=load)) == 65
    assert (bench.status, bench.failure) == ("FAILED a b", ("BadInput", "models.generator: there is no pack"))


@pytest.mark.parametrize("size", [{}, {"width": 33, "height": 31}])
def test_q_04_completed_means_that_the_video_is_there(tmp_path: Path, size: dict[str, int]) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG | size)
    assert bench.run(RunMode.TEST) == 0
    assert (tmp_path / "output" / str(parse_status_line(bench.status).video)).stat().st_size > 500


def test_q_05_target_images_lie_below_the_input_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "red.png").write_bytes(b"not this one")
    monkeypatch.chdir(elsewhere)
    bench, found = RunnerHarness(tmp_path, LEGACY_CONFIG | {"target_images": "red.png:0.5"}), list[Path]()
    (tmp_path / "input" / "red.png").write_bytes(b"this one")
    engine = FakeEngine(before=lambda context: found.append(context.input_file("red.png", field="imagePrompts")))
    assert bench.run(RunMode.PROD, engine=engine) == 0
    assert engine.configs[0].timelapse["imagePrompts"] == "red.png:0.5"
    assert found[0].read_bytes() == b"this one"


@pytest.mark.parametrize("word", ["test_fail", "Test_Fail", "TEST_FAIL"])
def test_q_06_the_case_of_a_mode_does_not_matter(word: str) -> None:
    assert parse_command_line([f"--mode={word}"], {}).mode is RunMode.TEST_FAIL


def test_q_07_yesterday_s_status_is_gone_first(tmp_path: Path) -> None:
    """That no reader ever sees half a line is tested beside the writer."""
    (tmp_path / "STATUS").write_text("COMPLETED yesterday yesterday.mp4")
    bench, seen = RunnerHarness(tmp_path, LEGACY_CONFIG), list[str]()
    bench.run(RunMode.PROD, engine=FakeEngine(before=lambda context: seen.append(bench.status)))
    assert seen == ["STARTING a b"]


def test_q_08_an_id_with_spaces_is_read_from_the_right_and_never_becomes_a_path_or_an_option(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG | {"unique_id": "10% b.mp4 c"})
    assert bench.run(RunMode.TEST) == 0
    read = parse_status_line(bench.status)
    assert (read.uid, read.video) == ("10% b.mp4 c", "10%_b.mp4_c.mp4")
    for name in ("../../etc/passwd", "-y", "a/b", "..", "\\\\host"):
        assert Path(video_name(name)).name == video_name(name)
        assert not video_name(name).startswith(("-", "."))
    bench.configure(LEGACY_CONFIG | {"unique_id": "two\nlines"})
    assert bench.run(RunMode.TEST) == 64


def test_q_09_a_relative_io_path_works_and_the_working_folder_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    monkeypatch.chdir(tmp_path.parent)
    bench.environment["VIDEO_IO_PATH"] = tmp_path.name
    assert bench.run(RunMode.TEST) == 0
    assert bench.videos == ["a_b.mp4"]
    assert Path.cwd() == tmp_path.parent


def test_q_10_percent_is_whole_numbers_no_time_left_is_negative_and_100_comes_with_the_video(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG | {"num_frames": 100})
    assert bench.run(RunMode.TEST, seconds=100) == 0
    lines = [parse_status_line(line) for line in bench.clock.lines if "IN_PROGRESS" in line]
    percents = [line.percent for line in lines if line.percent is not None]
    assert percents == sorted(percents)
    assert max(percents) <= 99
    assert all(line.eta_seconds is None or line.eta_seconds >= 0 for line in lines)


def with_old_frame(tmp_path: Path) -> Path:
    frame = tmp_path / "output" / "frames" / "00000.png"
    frame.parent.mkdir(parents=True)
    frame.write_bytes(b"yesterday")
    return frame


def test_q_13_only_a_valid_configuration_clears_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = with_old_frame(tmp_path)
    monkeypatch.setitem(os.environ, "VIDEO_IO_PATH", str(tmp_path))
    assert main(["--mode=NONSENSE"]) == 64
    bad: dict[str, Any] = LEGACY_CONFIG | {"num_frames": 0}
    assert RunnerHarness(tmp_path, bad).run(RunMode.PROD) == 64
    assert frame.read_bytes() == b"yesterday"
    assert RunnerHarness(tmp_path, LEGACY_CONFIG).run(RunMode.TEST) == 0
    assert frame.read_bytes() != b"yesterday"

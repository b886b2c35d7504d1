"""The bug list of the original container (specification vqgan-clip §1.14), row by row: none of them is left."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from videojob_api.contract.launch import RunMode
from videojob_api.contract.status import parse_status_line
from videojob_runner.engine.api import TaskContext
from videojob_runner.errors import BadConfig
from videojob_runner.media.frames import FrameWriter, RgbImage
from videojob_runner.process.command_line import parse_command_line
from videojob_runner.process.main import main

from tests.unit.runner.fakes import LEGACY_CONFIG, RUNNER_CONFIG, FakeEngine, RunnerHarness


def failing(error: Exception) -> FakeEngine:
    def fail(_context: TaskContext) -> None:
        raise error

    return FakeEngine(before=fail)


@pytest.mark.parametrize("image", ["", "None"])
def test_row_1_without_a_seed_image_the_work_ends_with_a_video(tmp_path: Path, image: str) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG | {"init_image": image})
    assert bench.run(RunMode.PROD) == 0
    assert (bench.status, bench.videos) == ("COMPLETED a b a_b.mp4", ["a_b.mp4"])


@pytest.mark.parametrize("config", [LEGACY_CONFIG, LEGACY_CONFIG | {"init_image": None}])
def test_row_2_a_missing_or_null_init_image_means_none(tmp_path: Path, config: dict[str, Any]) -> None:
    engine, bench = FakeEngine(), RunnerHarness(tmp_path, config)
    assert bench.run(RunMode.PROD, engine=engine) == 0
    assert not hasattr(engine.configs[0], "initImage")


def test_row_3_a_seed_image_that_is_not_there_fails_at_once(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG | {"init_image": "no.jpg"})

    def open_image(context: TaskContext) -> None:
        context.input_file("no.jpg", field="init_image")

    assert bench.run(RunMode.PROD, engine=FakeEngine(before=open_image)) == 65
    assert bench.status == "FAILED a b"
    assert "no.jpg" in bench.failure[1]


def test_row_3_a_target_image_fails_at_once_too(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG | {"target_images": "no.jpg"})

    def open_picture(context: TaskContext) -> None:
        context.input_file("no.jpg", field="imagePrompts")

    assert bench.run(RunMode.PROD, engine=FakeEngine(before=open_picture)) == 65
    assert bench.status == "FAILED a b"
    assert "no.jpg" in bench.failure[1]


def test_row_4_a_prompt_the_engine_cannot_read_fails_at_once(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG | {"prompt": "note:: a cat"})
    assert bench.run(RunMode.PROD, engine=failing(BadConfig("cannot be read", field="prompts"))) == 64
    assert (bench.status, bench.failure) == ("FAILED a b", ("BadConfig", "prompts: cannot be read"))


def test_row_6_memory_that_ends_while_models_load_is_a_failure_with_a_remedy(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    assert bench.run(RunMode.PROD, engine=failing(MemoryError())) == 70
    assert bench.status == "FAILED a b"
    assert "reduce width and height" in bench.failure[1]


@pytest.mark.parametrize("prompt", ["", "  ", " | "])
def test_row_7_an_empty_prompt_fails_before_anything_starts(tmp_path: Path, prompt: str) -> None:
    engine, bench = FakeEngine(), RunnerHarness(tmp_path, LEGACY_CONFIG | {"prompt": prompt})
    assert bench.run(RunMode.PROD, engine=engine) == 64
    assert (bench.status, engine.contexts) == ("FAILED a b", [])


def test_row_8_test_mode_leaves_the_video_it_speaks_of(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    bench.run(RunMode.TEST)
    video = tmp_path / "output" / str(parse_status_line(bench.status).video)
    assert video.stat().st_size > 500


def test_row_9_odd_sizes_make_a_video(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG | {"width": 33, "height": 31})
    assert bench.run(RunMode.TEST) == 0
    assert (tmp_path / "output" / "a_b.mp4").stat().st_size > 500


def test_row_9_an_encoder_that_fails_is_not_called_completed(tmp_path: Path) -> None:
    def another_size(context: TaskContext, index: int) -> None:
        context.frames.write(index, np.zeros((8 + index, 8, 3), np.uint8))

    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    assert bench.run(RunMode.PROD, engine=FakeEngine(after_each=another_size)) == 70
    assert (bench.status, bench.videos, bench.failure[0]) == ("FAILED a b", [], "EncodingFailed")


@pytest.mark.parametrize("frames", [0, -1])
@pytest.mark.parametrize("mode", [RunMode.TEST, RunMode.PROD])
def test_row_10_no_or_fewer_frames_are_a_bad_configuration(tmp_path: Path, mode: RunMode, frames: int) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG | {"num_frames": frames})
    assert bench.run(mode) == 64
    assert bench.status == "FAILED a b"
    assert bench.failure[1].startswith("num_frames")


@pytest.mark.parametrize("total", [9_999, 10_000, 10_001, 100_001])
def test_row_11_names_sort_like_frames_however_many_there_are(tmp_path: Path, total: int) -> None:
    writer = FrameWriter(tmp_path, total=total)
    around = [0, 9, 10, 9_998, 9_999, 10_000, 99_999, 100_000]
    names = [writer.path(index).name for index in around if index < total]
    assert names == sorted(names)
    assert len({len(name) for name in names}) == 1


@pytest.mark.parametrize("word", ["test", "Test", "tEsT"])
def test_row_12_a_mode_means_the_same_in_any_case(word: str) -> None:
    assert parse_command_line([f"--mode={word}"], {}).mode is RunMode.TEST


def with_old_frames(tmp_path: Path) -> Path:
    frame = tmp_path / "output" / "frames" / "00000.png"
    frame.parent.mkdir(parents=True)
    frame.write_bytes(b"the frame of yesterday")
    return frame


def test_row_13_help_wipes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = with_old_frames(tmp_path)
    monkeypatch.setenv("VIDEO_IO_PATH", str(tmp_path))
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--test_duration" in capsys.readouterr().out
    assert frame.read_bytes() == b"the frame of yesterday"


def test_row_13_neither_does_a_word_that_is_no_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = with_old_frames(tmp_path)
    monkeypatch.setenv("VIDEO_IO_PATH", str(tmp_path))
    assert main(["--mode=PRODUCTION"]) == 64
    assert frame.exists()
    assert not (tmp_path / "STATUS").exists()


def test_row_13_neither_does_a_bad_configuration(tmp_path: Path) -> None:
    frame = with_old_frames(tmp_path)
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG | {"num_frames": 0})
    assert bench.run(RunMode.PROD) == 64
    assert frame.exists()


def test_row_13_a_good_configuration_clears_the_frames_of_another_job(tmp_path: Path) -> None:
    frame = with_old_frames(tmp_path)
    (tmp_path / "output" / "frames" / "00777.png").write_bytes(b"x")
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    assert bench.run(RunMode.TEST) == 0
    assert bench.frames == ["00000.png", "00001.png", "00002.png"]
    assert frame.read_bytes() != b"the frame of yesterday"


def test_row_14_the_word_of_yesterday_is_gone_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "STATUS").write_text("COMPLETED yesterday yesterday.mp4")
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)
    word_at_load: list[str] = []
    bench.run(RunMode.PROD, engine=FakeEngine(before=lambda context: word_at_load.append(bench.status)))
    assert word_at_load == ["STARTING 4711"]


def test_row_14_it_is_gone_even_when_there_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "STATUS").write_text("COMPLETED yesterday yesterday.mp4")
    bench = RunnerHarness(tmp_path)
    assert bench.run(RunMode.PROD) == 64
    assert bench.status == "FAILED unknown"
    assert "there is no" in bench.failure[1]


def test_row_15_a_first_prompt_of_spaces_only_is_skipped(tmp_path: Path) -> None:
    engine, bench = FakeEngine(), RunnerHarness(tmp_path, LEGACY_CONFIG | {"prompt": "  | a cat:2"})
    assert bench.run(RunMode.PROD, engine=engine) == 0
    assert engine.configs[0].timelapse["prompts"] == "a cat:2"


def test_row_16_writing_a_frame_does_not_hold_up_the_engine(tmp_path: Path) -> None:
    disk, written = threading.Event(), []

    def slow_disk(path: Path, pixels: RgbImage, text: object) -> None:
        disk.wait()
        written.append(path.name)

    frames = FrameWriter(tmp_path, total=3, save=slow_disk)
    for index in range(3):
        frames.write(index, np.zeros((4, 4, 3), np.uint8))
    assert written == [], "all three were taken while the disk slept"
    disk.set()
    frames.close()
    assert written == ["00000.png", "00001.png", "00002.png"]


def test_row_17_a_surprise_says_what_it_was(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    assert bench.run(RunMode.PROD, engine=failing(KeyError("colour"))) == 70
    assert bench.failure == ("InternalError", "KeyError: 'colour'")
    assert "Traceback" in caplog.text
    assert "KeyError: 'colour'" in caplog.text

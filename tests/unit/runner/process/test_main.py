"""Whole runs in one process, with a clock of their own and an engine by recipe."""

import csv
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from videojob_api.contract.launch import RunMode
from videojob_api.contract.status import RunnerState
from videojob_api.messages.report import Acknowledgement, Failure
from videojob_runner.engine.api import TaskContext
from videojob_runner.errors import BadInput, UnsafeCheckpoint
from videojob_runner.media.frames import RgbImage, read_frame
from videojob_runner.media.plot import COLORS, MARKER_COLOR
from videojob_runner.process.command_line import CommandLine
from videojob_runner.process.main import run

from tests.unit.runner.fakes import LEGACY_CONFIG, RUNNER_CONFIG, FakeEngine, RunnerHarness, outside


def test_test_mode_says_exactly_what_the_contract_says(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    assert bench.run(RunMode.TEST, seconds=9) == 0
    assert bench.clock.lines == [
        "STARTING a b",
        "IN_PROGRESS a b 0% unknown",
        "IN_PROGRESS a b 33% 3s",
        "IN_PROGRESS a b 66% 0s",
        "COMPLETED a b a_b.mp4",
    ]
    assert bench.clock.now == pytest.approx(9.0), "spread over the duration asked for"


def test_test_mode_keeps_its_duration_though_drawing_takes_time(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)

    def drawing_takes_time() -> None:
        bench.clock.now += 0.05

    bench.clock.on_look = drawing_takes_time
    assert bench.run(RunMode.TEST, seconds=9) == 0
    looks_outside_the_frames = 8 * 0.05
    assert bench.clock.now == pytest.approx(9.0, abs=looks_outside_the_frames)


def test_test_fail_makes_the_same_frames_and_ends_with_failed_and_0(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    assert bench.run(RunMode.TEST_FAIL, seconds=9) == 0
    assert bench.clock.lines[-2:] == ["IN_PROGRESS a b 66% 0s", "FAILED a b"]
    assert (len(bench.frames), bench.videos, bench.failure[0]) == (3, [], "TestFail")


def test_the_frames_become_a_video_of_the_right_length_and_rate(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG | {"encoding": {"fps": 6}})
    assert bench.run(RunMode.TEST, seconds=0) == 0
    assert bench.frames == ["00000.png", "00001.png", "00002.png"]
    with av.open(str(tmp_path / "output" / "4711.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 3
        assert video.streams.video[0].average_rate == 6


def test_an_engine_may_make_a_film_of_its_frames(tmp_path: Path) -> None:
    def there_and_back(count: int, read: Callable[[int], RgbImage]) -> Iterator[RgbImage]:
        yield from map(read, (*range(count), *reversed(range(count))))

    bench, engine = RunnerHarness(tmp_path, RUNNER_CONFIG | {"encoding": {"fps": 6}}), FakeEngine(film=there_and_back)
    assert bench.run(RunMode.PROD, engine=engine) == 0
    assert engine.contexts[0].fps == 6
    assert len(bench.frames) == 3
    with av.open(str(tmp_path / "output" / "4711.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 6


def test_where_only_the_engine_knows_test_makes_as_many_frames_as_the_seconds_take(tmp_path: Path) -> None:
    bench = RunnerHarness(
        tmp_path, RUNNER_CONFIG | {"pipeline": {"custom": {"config": {"x": 1}}}, "encoding": {"fps": 2}}
    )
    assert bench.run(RunMode.TEST, seconds=3) == 0
    assert len(bench.frames) == 6
    assert read_frame(tmp_path / "output" / "frames" / "00000.png").shape == (480, 480, 3)


def test_status_stays_in_progress_while_encoding_and_completed_comes_with_the_file(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, LEGACY_CONFIG)
    seen: list[tuple[str, str, bool]] = []

    def look() -> None:
        if (tmp_path / "STATUS").exists():
            seen.append((bench.status.split()[0], bench.details.phase, bool(bench.videos)))

    bench.clock.on_look = look
    bench.run(RunMode.TEST)
    assert ("IN_PROGRESS", "encoding", False) in seen
    assert {video for word, _, video in seen if word == "COMPLETED"} == {True}


def test_real_work_gets_its_configuration_seed_device_and_versions(tmp_path: Path) -> None:
    engine, bench = FakeEngine(), RunnerHarness(tmp_path, RUNNER_CONFIG)
    config = json.loads(json.dumps(RUNNER_CONFIG))
    config["pipeline"]["vqganClip"]["seed"] = 11
    bench.configure(config)
    assert bench.run(RunMode.PROD, engine=engine) == 0
    [context] = engine.contexts
    assert engine.configs[0].video["frames"] == 3
    assert (context.seed, context.device, context.inputs) == (11, "cpu", tmp_path / "input")
    versions = bench.details.versions
    assert (versions["seed"], versions["torch"]) == ("11", "none")
    assert {"videojob", "python", "ffmpeg"} <= set(versions)
    assert bench.status == "COMPLETED 4711 4711.mp4"
    assert (bench.details.frames_done, bench.details.frames_total) == (3, 3)
    assert bench.details.metrics == {"loss": pytest.approx(1 / 3)}


def test_the_video_says_how_to_make_it_again(tmp_path: Path) -> None:
    engine, bench = FakeEngine(), RunnerHarness(tmp_path, RUNNER_CONFIG)
    assert bench.run(RunMode.PROD, engine=engine) == 0
    with av.open(str(tmp_path / "output" / "4711.mp4")) as video:
        title, comment = video.metadata["title"], json.loads(video.metadata["comment"])
    assert title == comment["text_prompts"] == RUNNER_CONFIG["pipeline"]["vqganClip"]["video"]["prompts"]
    assert comment["seed"] == str(engine.contexts[0].seed)
    [(arm, options)] = json.loads(comment["pipeline"]).items()
    assert (arm, options["video"]["frames"]) == ("vqganClip", 3)


def test_a_seed_that_nobody_named_is_drawn_and_recorded(tmp_path: Path) -> None:
    seeds = set()
    for _ in range(3):
        engine, bench = FakeEngine(), RunnerHarness(tmp_path, RUNNER_CONFIG)
        bench.run(RunMode.PROD, engine=engine)
        assert bench.details.versions["seed"] == str(engine.contexts[0].seed)
        seeds.add(engine.contexts[0].seed)
    assert len(seeds) == 3
    assert all(0 <= seed < 2**53 for seed in seeds)


def raising(error: Exception) -> FakeEngine:
    def fail(_context: TaskContext) -> None:
        raise error

    return FakeEngine(before=fail)


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


@pytest.mark.parametrize(
    ("error", "code", "reason", "says"),
    [
        (BadInput("initImage: is no picture"), 65, "BadInput", "initImage: is no picture"),
        (UnsafeCheckpoint("a pickle"), 66, "UnsafeCheckpoint", "a pickle"),
        (
            OutOfMemoryError("CUDA out of memory.\nTried to"),
            70,
            "OutOfMemory",
            "reduce width and height, or use fewer cuts",
        ),
        (MemoryError(), 70, "OutOfMemory", "memory is exhausted"),
        (OSError(28, "No space left on device"), 70, "NoSpace", "pod.scratch"),
        (PermissionError(13, "Permission denied", "/video_io/x"), 70, "NotPermitted", "/video_io/x"),
        (ZeroDivisionError("by zero\nand more"), 70, "InternalError", "ZeroDivisionError: by zero"),
    ],
)
def test_every_failure_of_an_engine_becomes_failed_with_a_reason_and_a_remedy(
    tmp_path: Path, error: Exception, code: int, reason: str, says: str
) -> None:
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)
    assert bench.run(RunMode.PROD, engine=raising(error)) == code
    assert bench.status == "FAILED 4711"
    assert bench.failure[0] == reason
    assert says in bench.failure[1]
    assert bench.videos == []


def test_an_engine_that_miscounts_its_frames_does_not_complete(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)
    assert bench.run(RunMode.PROD, engine=FakeEngine(said=4)) == 70
    assert (bench.status, bench.videos) == ("FAILED 4711", [])
    assert "3 frames on disk, but 4" in bench.failure[1]


def test_a_frame_that_cannot_be_written_fails_the_run(tmp_path: Path) -> None:
    def wrong_shape(context: TaskContext) -> None:
        context.frames.write(0, np.zeros((4, 4), np.uint8))

    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)
    assert bench.run(RunMode.PROD, engine=FakeEngine(before=wrong_shape)) == 70
    assert "H×W×3" in bench.failure[1]


def test_a_sigterm_saves_leaves_in_progress_and_ends_with_75(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)

    def stop_after_the_second(_context: TaskContext, index: int) -> None:
        if index == 1:
            bench.stop.handle(signal.SIGTERM)

    assert bench.run(RunMode.PROD, engine=FakeEngine(after_each=stop_after_the_second)) == 75
    assert bench.status.startswith("IN_PROGRESS 4711 33% ")
    assert bench.details.phase == "checkpointing"
    assert bench.frames == ["00000.png", "00001.png"]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-000000000002"]


def test_the_total_that_only_the_engine_knows_stands_in_status_while_frames_are_made(tmp_path: Path) -> None:
    """A style transfer has as many frames as its source, which nobody has counted before."""
    form = {"prompts": "a red circle", "source": "walk"}
    pipeline = {"vqganClip": {"width": 32, "height": 32, "styleTransfer": form}}
    bench, seen = RunnerHarness(tmp_path, RUNNER_CONFIG | {"pipeline": pipeline}), []

    def look(_context: TaskContext, _index: int) -> None:
        seen.append((bench.details.frames_done, bench.details.frames_total))

    engine = FakeEngine(frames=4, before=lambda context: context.set_frame_count(4), after_each=look)
    assert bench.run(RunMode.PROD, engine=engine) == 0
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def interrupted_after(tmp_path: Path, index: int, config: dict[str, Any]) -> FakeEngine:
    bench = RunnerHarness(tmp_path, config)
    engine = FakeEngine(after_each=lambda _c, i: bench.stop.handle(signal.SIGTERM) if i == index else None)
    assert bench.run(RunMode.PROD, engine=engine) == 75
    return engine


def test_the_next_run_of_the_same_job_goes_on_where_the_last_one_saved(tmp_path: Path) -> None:
    first = interrupted_after(tmp_path, 1, RUNNER_CONFIG)
    before = (tmp_path / "output" / "frames" / "00000.png").stat().st_mtime_ns
    bench, second = RunnerHarness(tmp_path, RUNNER_CONFIG), FakeEngine()
    assert bench.run(RunMode.PROD, engine=second) == 0
    assert second.contexts[0].seed == first.contexts[0].seed, "a drawn seed is drawn once"
    assert (tmp_path / "output" / "frames" / "00000.png").stat().st_mtime_ns == before
    assert bench.clock.lines[:2] == ["STARTING 4711", "IN_PROGRESS 4711 66% unknown"]
    assert (bench.status, len(bench.frames)) == ("COMPLETED 4711 4711.mp4", 3)


def carried(source: Path, target: Path) -> Path:
    """Another disk, with what the agents bring from one to the other: a checkpoint, and the frames it counts on."""
    [checkpoint] = (source / "checkpoints").iterdir()
    marker = json.loads((checkpoint / "complete").read_text())
    shutil.copytree(checkpoint, target / "checkpoints" / checkpoint.name)
    (target / "output" / "frames").mkdir(parents=True)
    for number in range(marker["frames"]):
        name = f"output/frames/{number:05}.png"
        shutil.copyfile(source / name, target / name)
    return target


def made(tmp_path: Path) -> dict[str, bytes]:
    """Everything in the output."""
    files = (path for path in (tmp_path / "output").rglob("*") if path.is_file())
    return {path.name: path.read_bytes() for path in files}


def test_the_next_run_may_have_another_disk(tmp_path: Path) -> None:
    config = RUNNER_CONFIG | {"pipeline": {"vqganClip": RUNNER_CONFIG["pipeline"]["vqganClip"] | {"seed": 3}}}
    for name in ("first", "straight"):
        (tmp_path / name).mkdir()
    interrupted_after(tmp_path / "first", 1, config)
    other, second = carried(tmp_path / "first", tmp_path / "second"), FakeEngine()
    before = (other / "output" / "frames" / "00000.png").stat().st_mtime_ns
    assert RunnerHarness(other, config).run(RunMode.PROD, engine=second) == 0
    assert len(second.contexts) == 1
    assert (other / "output" / "frames" / "00000.png").stat().st_mtime_ns == before
    assert RunnerHarness(tmp_path / "straight", config).run(RunMode.PROD, engine=FakeEngine()) == 0
    assert made(other) == made(tmp_path / "straight")


def test_a_run_that_goes_on_elsewhere_says_why_its_frames_may_differ(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    interrupted_after(tmp_path, 0, RUNNER_CONFIG)
    interrupted_after(tmp_path, 1, RUNNER_CONFIG)
    assert "may differ" not in caplog.text, "nothing had changed"
    for marker in (tmp_path / "checkpoints").glob("*/complete"):
        told = json.loads(marker.read_text())
        marker.write_text(json.dumps(told | {"versions": told["versions"] | {"torch": "2.9.0"}}))
    assert RunnerHarness(tmp_path, RUNNER_CONFIG).run(RunMode.PROD, engine=FakeEngine()) == 0
    assert "may differ from those of a run that was left alone: torch was 2.9.0 and is none" in caplog.text


def test_a_run_that_crashed_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG | {"checkpoint": {"intervalSeconds": 5}})
    drawn: list[int] = []

    def crash_late(_context: TaskContext, index: int) -> None:
        drawn.append(index)
        bench.clock.now += 4
        if index == 5 and drawn.count(5) == 1:
            raise ZeroDivisionError

    assert bench.run(RunMode.PROD, engine=FakeEngine(frames=8, after_each=crash_late)) == 70
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "step-000000000003",
        "step-000000000005",
    ]
    assert bench.run(RunMode.PROD, engine=FakeEngine(frames=8, after_each=crash_late)) == 0
    assert drawn == [0, 1, 2, 3, 4, 5, 5, 6, 7]


def rows(tmp_path: Path) -> list[str]:
    return (tmp_path / "metrics.csv").read_text().splitlines()


def test_every_loss_stands_in_a_table_beside_status_and_in_a_plot_in_the_output(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)
    assert bench.run(RunMode.PROD, engine=FakeEngine()) == 0
    assert rows(tmp_path) == ["step,metric,value", "1,loss,1", "2,loss,0.5", "3,loss,0.333333333"]
    with Image.open(tmp_path / "output" / "losses.png") as image:
        assert image.size == (960, 540 + 18), "one row of legend"
    with Image.open(tmp_path / "output" / "contact-sheet.png") as image:
        assert image.width > 3 * 192


def test_what_an_engine_records_besides_stands_in_the_table_and_the_plot_but_not_in_status(tmp_path: Path) -> None:
    def record(context: TaskContext, index: int) -> None:
        if index == 1:
            context.log_metrics(2, {"phrase": 2})
        context.log_metrics(index + 1, {'loss: a "red" circle, large': 0.25 * index})

    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)
    assert bench.run(RunMode.PROD, engine=FakeEngine(after_each=record)) == 0
    with (tmp_path / "metrics.csv").open(newline="") as file:
        table = [row for row in csv.reader(file) if row[1] != "loss"]
    name = 'loss: a "red" circle, large'
    assert table[1:] == [["1", name, "0"], ["2", "phrase", "2"], ["2", name, "0.25"], ["3", name, "0.5"]]
    assert list(bench.details.metrics) == ["loss"]
    colours = np.asarray(Image.open(tmp_path / "output" / "losses.png")).reshape(-1, 3)
    assert {COLORS[0], COLORS[1], MARKER_COLOR} <= set(map(tuple, colours.tolist()))


def test_a_resumed_run_s_table_has_each_step_once_even_on_another_disk(tmp_path: Path) -> None:
    interrupted_after(tmp_path, 1, RUNNER_CONFIG)
    (tmp_path / "metrics.csv").write_text(
        "step,metric,value\n1,loss,1\n2,loss,0.5\n3,loss,9\n"
    )  # beyond what was saved
    assert RunnerHarness(tmp_path, RUNNER_CONFIG).run(RunMode.PROD, engine=FakeEngine()) == 0
    assert rows(tmp_path) == ["step,metric,value", "1,loss,1", "2,loss,0.5", "3,loss,0.333333333"]


def test_a_single_picture_needs_no_contact_sheet_and_old_ones_go(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "contact-sheet.png").write_text("yesterday's")
    assert RunnerHarness(tmp_path, RUNNER_CONFIG).run(RunMode.PROD, engine=FakeEngine(frames=1)) == 0
    assert sorted(path.name for path in (tmp_path / "output").iterdir()) == ["4711.mp4", "frames", "losses.png"]


def test_a_preview_is_a_few_seconds_old_at_most_and_never_yesterday_s(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)
    (tmp_path / "preview.png").write_text("yesterday's")
    at_start: list[bool] = []
    seen: list[int] = []

    def look(_context: TaskContext, _index: int) -> None:
        seen.append(int(read_frame(tmp_path / "preview.png")[0, 0, 0]))
        bench.clock.now += 3

    engine = FakeEngine(
        frames=5, before=lambda _: at_start.append((tmp_path / "preview.png").exists()), after_each=look
    )
    assert bench.run(RunMode.PROD, engine=engine) == 0
    assert (at_start, seen) == ([False], [5, 5, 25, 25, 45])


def test_the_run_s_scratch_goes_when_it_ends(tmp_path: Path) -> None:
    def fill(context: TaskContext) -> None:
        context.scratch.mkdir()
        (context.scratch / "x").touch()

    assert RunnerHarness(tmp_path, RUNNER_CONFIG).run(RunMode.PROD, engine=FakeEngine(before=fill)) == 0
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("change", [{"uid": "another"}, {"encoding": {"fps": 5}}])
def test_another_job_in_the_same_folder_starts_anew(tmp_path: Path, change: dict[str, Any]) -> None:
    interrupted_after(tmp_path, 1, RUNNER_CONFIG)
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG | change)
    frames_at_start: list[str] = []
    engine = FakeEngine(before=lambda context: frames_at_start.extend(bench.frames))
    assert bench.run(RunMode.PROD, engine=engine) == 0
    assert frames_at_start == []
    assert bench.clock.lines[1].endswith(" 0% unknown")


def test_a_stop_before_the_first_step_does_not_start_the_engine(tmp_path: Path) -> None:
    bench, engine = RunnerHarness(tmp_path, RUNNER_CONFIG), FakeEngine()
    bench.stop.handle(signal.SIGTERM)
    assert bench.run(RunMode.PROD, engine=engine) == 75
    assert (bench.status, engine.contexts) == ("STARTING 4711", [])


def test_a_stop_in_test_mode_ends_with_75_between_two_frames(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)
    bench.stop.handle(signal.SIGTERM)
    assert bench.run(RunMode.TEST) == 75
    assert (bench.status, bench.frames, bench.videos) == ("IN_PROGRESS 4711 0% unknown", ["00000.png"], [])


def awaiting(tmp_path: Path, word: Acknowledgement) -> RunnerHarness:
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)
    bench.environment["VIDEOJOB_AWAIT_PUBLISHED"] = "1"
    (tmp_path / ".videojob").mkdir()
    stale = Acknowledgement(uid="4711", published=False)
    (tmp_path / ".videojob" / "published.json").write_text(stale.model_dump_json(by_alias=True))

    def agent() -> None:
        if len(bench.sleeps) == 3:
            (tmp_path / ".videojob" / "published.json").write_text(word.model_dump_json(by_alias=True))

    bench.on_sleep = agent
    return bench


def test_in_a_pod_it_stays_until_the_agent_has_published(tmp_path: Path) -> None:
    bench = awaiting(tmp_path, Acknowledgement(uid="4711", published=True))
    assert bench.run(RunMode.TEST, seconds=0) == 0
    assert len(bench.sleeps) == 3


def test_in_a_pod_it_ends_with_74_when_the_agent_gives_up_and_status_keeps_the_truth(tmp_path: Path) -> None:
    word = Acknowledgement(uid="4711", published=False, failure=Failure(reason="X", message="no bucket"))
    bench = awaiting(tmp_path, word)
    assert bench.run(RunMode.PROD) == 74
    assert bench.details.state is RunnerState.COMPLETED


def test_a_test_that_failed_as_asked_waits_for_nobody(tmp_path: Path) -> None:
    bench = RunnerHarness(tmp_path, RUNNER_CONFIG)
    bench.environment["VIDEOJOB_AWAIT_PUBLISHED"] = "1"
    assert bench.run(RunMode.TEST_FAIL, seconds=0) == 0
    assert bench.sleeps == []


def test_setup_loads_every_engine_and_touches_no_io_folder(tmp_path: Path) -> None:
    warmed: list[str] = []

    class Warm(FakeEngine):
        def warm_up(self, models: object, *, device: str) -> None:
            warmed.append(device)

    world = outside({"VIDEO_IO_PATH": str(tmp_path / "io")}, engine=Warm())
    assert run(CommandLine(mode=RunMode.SETUP), world) == 0
    assert (warmed, list(tmp_path.iterdir())) == (["cpu"], [])


def test_an_io_folder_that_cannot_be_written_ends_with_70_and_not_with_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert run(CommandLine(), outside({"VIDEO_IO_PATH": str(tmp_path / "file")}, engine=FakeEngine())) == 70

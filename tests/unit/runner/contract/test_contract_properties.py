"""What must hold of the contract layer for every uid, name, pace and interruption, not only for chosen ones."""

import signal
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from videojob_api.contract.launch import RunMode
from videojob_api.contract.layout import IO_PATH
from videojob_api.contract.status import RunnerState, parse_status_line, read_details
from videojob_runner.contract.io_folder import IoFolder
from videojob_runner.contract.job import peek_uid, read_job, video_name
from videojob_runner.contract.status import EtaEstimator, StatusWriter
from videojob_runner.engine.api import TaskContext, TaskPlan, TaskResult
from videojob_runner.errors import BadConfig

from tests.unit.runner.fakes import RUNNER_CONFIG, AnyConfig, RunnerHarness

UIDS = st.text(min_size=1, max_size=253).filter(lambda text: text.isprintable() and text.strip() != "")


@given(uid=UIDS, name=st.text(min_size=1, max_size=300), done=st.integers(1, 10**6), more=st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_whatever_is_written_can_be_read_back(uid: str, name: str, done: int, more: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        status = StatusWriter(root)

        def word() -> RunnerState:
            line = parse_status_line((root / "STATUS").read_bytes())
            assert line.uid == uid
            details = read_details((root / "STATUS.json").read_bytes(), line=line)
            assert details is not None
            assert details.line == str(line)
            return line.state

        status.starting(uid)
        assert word() is RunnerState.STARTING
        status.progress(done, done + more)
        assert word() is RunnerState.IN_PROGRESS
        status.completed(video_name(name))
        assert word() is RunnerState.COMPLETED


@given(name=st.text(min_size=1, max_size=400))
@settings(max_examples=300)
def test_every_video_name_is_one_plain_file_below_output(name: str) -> None:
    file = video_name(name)
    root = Path("/video_io/output")
    assert (root / file).resolve().parent == root
    assert not file.startswith(("-", "."))
    assert len(file.encode(errors="replace")) <= 255


@given(steps=st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 50)), min_size=1, max_size=200))
@settings(max_examples=200)
def test_the_remaining_time_is_never_negative_and_nothing_remains_at_the_end(steps: list[tuple[float, int]]) -> None:
    now, done = 0.0, 1
    total = 1 + sum(units for _, units in steps)
    pace = EtaEstimator(lambda: now)
    remaining: int | None = None
    for seconds, units in steps:
        now, done = now + seconds, done + units
        remaining = pace.seconds_left(done=done, total=total)
        assert remaining is None or remaining >= 0
    assert done == total
    assert remaining in (None, 0)


@given(text=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=300)
def test_garbage_raises_nothing_but_bad_config(text: bytes) -> None:
    peek_uid(text)
    with pytest.raises(BadConfig):
        read_job(text)


class Painter:
    """An engine whose every frame depends on all random numbers before it, as a training's does."""

    Config: type[Any] = AnyConfig
    frames = 6

    def __init__(self, *, bench: RunnerHarness, stops: set[int]) -> None:
        self.bench, self.stops = bench, stops

    def tasks(self, config: Any) -> Sequence[TaskPlan]:
        return [TaskPlan(name="render", run=partial(self.run, config), key="")]

    def run(self, config: Any, context: TaskContext) -> TaskResult:
        random, canvas, first = np.random.default_rng(context.seed), np.zeros((8, 8, 3)), 0
        saved = context.checkpoints.latest()
        if saved:
            state = np.load(saved / "state.npz", allow_pickle=True)
            first, canvas = int(state["done"]), state["canvas"]
            random.bit_generator.state = state["random"].item()
        for index in range(first, self.frames):
            canvas = (canvas + random.uniform(0, 90, canvas.shape)) % 256
            context.frames.write(index, canvas.astype(np.uint8))
            context.progress(index + 1, self.frames)
            if index in self.stops:
                self.stops.discard(index)
                self.bench.stop.handle(signal.SIGTERM)

            def write(folder: Path, done: int = index + 1, canvas: Any = canvas) -> None:
                np.savez(folder / "state.npz", done=done, canvas=canvas, random=np.array(random.bit_generator.state))

            context.checkpoints.maybe_save(index + 1, write)
        return TaskResult(frames=self.frames)


def painted(root: Path, *, stops: set[int]) -> tuple[dict[str, bytes], int]:
    """The files of a run that is stopped after each of `stops` and started again, and how often it was started."""
    config = RUNNER_CONFIG | {"pipeline": {"vqganClip": RUNNER_CONFIG["pipeline"]["vqganClip"] | {"seed": 3}}}
    starts, left = 1, set(stops)
    while True:
        bench = RunnerHarness(root, config)
        code = bench.run(RunMode.PROD, engine=Painter(bench=bench, stops=left))
        if code == 0:
            break
        assert code == 75
        starts += 1
    files = [*(root / "output" / "frames").iterdir(), *(root / "output").glob("*.mp4")]
    return {path.name: path.read_bytes() for path in files}, starts


@pytest.mark.parametrize("stops", [{0}, {4}, {1, 2, 3}, {5}])
def test_a_run_stopped_anywhere_and_resumed_gives_the_same_bytes(tmp_path: Path, stops: set[int]) -> None:
    for name in ("straight", "stopped"):
        (tmp_path / name).mkdir()
    straight, _ = painted(tmp_path / "straight", stops=set())
    stopped, starts = painted(tmp_path / "stopped", stops=stops)
    assert starts == 1 + len(stops)
    assert stopped == straight
    assert len(straight) == 7


def test_a_relative_io_path_is_made_absolute_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = IoFolder.from_environment({"VIDEO_IO_PATH": "io"})
    monkeypatch.chdir("/")
    assert folder.config == tmp_path / "io" / "input" / "config.json"
    assert IoFolder.from_environment({}).root == IoFolder.from_environment({"VIDEO_IO_PATH": ""}).root == Path(IO_PATH)

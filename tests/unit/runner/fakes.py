"""What the runner's tests share: an IO folder, a clock that writes down every STATUS line, and an engine by recipe."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from videojob_api.contract.launch import RunMode
from videojob_api.contract.status import StatusDetails
from videojob_runner.engine.api import Engine, FrameComposer, TaskContext, TaskPlan, TaskResult
from videojob_runner.engine.device import TorchDevice
from videojob_runner.process.command_line import CommandLine
from videojob_runner.process.main import run
from videojob_runner.process.signals import StopFlag
from videojob_runner.run.environment import RuntimeEnvironment

LEGACY_CONFIG: dict[str, Any] = {
    "prompt": "a red circle",
    "unique_id": "a b",
    "num_frames": 3,
    "width": 32,
    "height": 32,
}
RUNNER_CONFIG: dict[str, Any] = {
    "apiVersion": "runner.videojobs.dev/v1",
    "uid": "4711",
    "pipeline": {"vqganClip": {"width": 32, "height": 32, "video": {"prompts": "a red circle", "frames": 3}}},
}


class AnyConfig(BaseModel):
    """An engine's configuration that takes everything and can be asked."""

    model_config = ConfigDict(extra="allow")


EngineBody = Callable[[TaskContext], None]


@dataclass
class FakeEngine:
    """Makes `frames` grey frames, one unit of work each; `before` and `after_each` are what else happens."""

    frames: int = 3
    before: EngineBody = lambda context: None
    after_each: Callable[[TaskContext, int], None] = lambda context, index: None
    said: int | None = None
    film: FrameComposer | None = None
    configs: list[Any] = field(default_factory=list)
    contexts: list[TaskContext] = field(default_factory=list)
    Config: type[Any] = AnyConfig

    def tasks(self, config: Any) -> Sequence[TaskPlan]:
        return [TaskPlan(name="render", run=partial(self.run, config), key="")]

    def run(self, config: Any, context: TaskContext) -> TaskResult:
        self.configs.append(config)
        self.contexts.append(context)
        self.before(context)
        saved = context.checkpoints.latest()
        first = int((saved / "done").read_text()) if saved else 0
        for index in range(first, self.frames):
            context.frames.write(index, np.full((32, 32, 3), 10 * index, dtype=np.uint8))
            if context.preview.is_due():
                context.preview.show(np.full((32, 32, 3), 10 * index + 5, dtype=np.uint8))
            context.progress(index + 1, self.frames, f"frame {index + 1}", metrics={"loss": 1 / (index + 1)})
            self.after_each(context, index)
            done = str(index + 1)
            context.checkpoints.maybe_save(index + 1, lambda folder, done=done: save(folder, done))  # type: ignore[misc]
        return TaskResult(frames=self.said if self.said is not None else self.frames, composer=self.film)


def save(folder: Path, done: str) -> None:
    (folder / "done").write_text(done)


class RecordingClock:
    """Time that moves only when somebody waits; each look at it also notes the STATUS line that stands."""

    def __init__(self, status: Path) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        self.on_look: Callable[[], None] = lambda: None
        self._status = status

    def __call__(self) -> float:
        self.on_look()
        line = self._status.read_text() if self._status.exists() else ""
        if line and line != (self.lines or [""])[-1]:
            self.lines.append(line)
        return self.now


class ManualStop(StopFlag):
    """A stop flag whose waiting moves the clock instead of sleeping."""

    def __init__(self, clock: RecordingClock) -> None:
        super().__init__(exit_now=self.note_exit)
        self.exits: list[int] = []
        self._clock = clock

    def note_exit(self, code: int) -> None:
        self.exits.append(code)

    def wait(self, seconds: float) -> None:
        self._clock.now += seconds


def outside(environment: Mapping[str, str], *, engine: Engine[Any]) -> RuntimeEnvironment:
    """A world with the system's own time, and one engine."""
    return RuntimeEnvironment(
        environment=environment,
        stop=StopFlag(),
        clock=time.monotonic,
        sleep=time.sleep,
        load_engine=lambda _name: engine,
        choose_device=lambda _environment: TorchDevice("cpu"),
    )


class RunnerHarness:
    """One IO folder and everything to run on it."""

    def __init__(self, root: Path, config: Mapping[str, Any] | None = None) -> None:
        self.root = root
        self.clock = RecordingClock(root / "STATUS")
        self.stop = ManualStop(self.clock)
        self.environment = {"VIDEO_IO_PATH": str(root)}
        self.sleeps: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None
        (root / "input").mkdir(exist_ok=True)
        if config is not None:
            self.configure(config)

    def configure(self, config: Mapping[str, Any]) -> None:
        (self.root / "input" / "config.json").write_text(json.dumps(config))

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if len(self.sleeps) > 1000:
            raise AssertionError("it waits for a word that never comes")
        self.on_sleep()

    def run(self, mode: RunMode = RunMode.TEST, *, seconds: int = 9, engine: Engine[Any] | None = None) -> int:
        """The exit code of one run."""
        world = RuntimeEnvironment(
            environment=self.environment,
            stop=self.stop,
            clock=self.clock,
            sleep=self.sleep,
            load_engine=lambda _name: engine or FakeEngine(),
            choose_device=lambda _environment: TorchDevice("cpu", {"torch": "none"}),
        )
        return run(CommandLine(mode=mode, test_duration=seconds), world)

    @property
    def status(self) -> str:
        return (self.root / "STATUS").read_text()

    @property
    def details(self) -> StatusDetails:
        return StatusDetails.model_validate_json((self.root / "STATUS.json").read_bytes())

    @property
    def failure(self) -> tuple[str, str]:
        """Reason and message of the failure that STATUS.json tells."""
        found = self.details.failure
        return (found.reason, found.message) if found else ("", "")

    @property
    def frames(self) -> list[str]:
        return sorted(path.name for path in (self.root / "output" / "frames").glob("*"))

    @property
    def videos(self) -> list[str]:
        return sorted(path.name for path in (self.root / "output").glob("*.mp4"))

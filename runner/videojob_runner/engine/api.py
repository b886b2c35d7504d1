"""
The seam between the contract layer and whatever makes pictures or weights.

The contract layer reads config.json, picks the device and the seed, owns STATUS, signals, checkpoints, frames and
encoding, asks `Engine.tasks` what is to be done, and runs these tasks in order. A task sees only the engine's
configuration and a `TaskContext`. Its loop:

    folder = context.checkpoints.latest()           # None, or a folder that this task wrote into
    for step in range(first, steps):
        ...                                         # one step; perhaps context.frames.write(index, image)
        context.progress(step + 1, steps, "frame 3 of 10", metrics={"loss": loss})
        context.checkpoints.maybe_save(step + 1, write)  # the one place where a run can be interrupted

Importing this module imports no torch: TEST mode and foreign engines live without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from videojob_runner.engine.null import NullPreview, ignore_frame_count, ignore_metrics
from videojob_runner.errors import BadInput
from videojob_runner.media.frames import RgbImage

ConfigT = TypeVar("ConfigT", bound=BaseModel)

SEGMENT_METRIC = "phrase"
"""The metric that is no curve: it tells which part of the run has begun, from 1 on."""

MetricRecorder = Callable[[int, Mapping[str, float]], None]
"""Takes numbers of a step (1-based) by their names."""
FrameComposer = Callable[[int, Callable[[int], RgbImage]], Iterable[RgbImage]]
"""What a video shows, made while it is encoded from how many frames there are and a function that reads one."""


class FrameSink(Protocol):
    """Where frames go: `output/frames/00000.png` and so on."""

    def write(self, index: int, image: RgbImage, /, *, text: Mapping[str, str] | None = None) -> None:
        """Takes frame `index` (0-based); returns before it is on disk. `text` becomes PNG text chunks."""


class ProgressCallback(Protocol):
    """How an engine tells how far it is."""

    def __call__(self, done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
        """`done` of `total` equal units of work are finished (1 ≤ done ≤ total); cheap enough for every step."""


class Preview(Protocol):
    """Shows people how far the task is."""

    def is_due(self) -> bool:
        """Whether the last one is some seconds old; cheap enough for every step."""

    def show(self, image: RgbImage, /) -> None:
        """Takes the newest image."""

    def show_clip(self, images: Iterable[RgbImage], /, *, fps: float) -> None:
        """Takes the newest clip: images of equal size, of which at most the first 120 are shown."""


class StopSignal(Protocol):
    """Whether somebody asked the run to end early."""

    def is_set(self) -> bool:
        """True from the first SIGTERM on. `Checkpointer.maybe_save` looks at it by itself."""

    def wait(self, seconds: float) -> None:
        """Sleeps for `seconds`, or until the run shall end."""


class Checkpointer(Protocol):
    """Two generations of complete checkpoints of this very job."""

    def latest(self) -> Path | None:
        """The folder of the newest complete checkpoint of the same uid and configuration; read it, never write it."""

    def maybe_save(self, step: int, write: Callable[[Path], None], /) -> None:
        """
        Call after each step (1 ≤ step < 10⁹). When a checkpoint is due, calls `write` with an empty folder and keeps it
        as `step`; all frames written so far are on disk before. Raises Interrupted, after saving, when the run
        shall stop.
        """


class ModelResolver(Protocol):
    """The packs behind the pipeline's roles."""

    def folder(self, role: str, *, default: str) -> Path:
        """The pack's folder for `role`; the built-in pack `default` unless the job names another. Raises BadInput."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankInfo:
    """Which of the processes that share a task this is."""

    rank: int = 0
    local_rank: int = 0
    """On this node."""
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether it is the one that writes frames, artifacts and progress."""
        return self.rank == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A folder of plain files that a task publishes, and that later tasks and other jobs may use."""

    name: str
    """Of its folder below `output/artifacts/`: lower-case letters, digits, dots and dashes, like a pack's name."""
    kind: Literal["pack", "dataset", "report"]
    path: Path
    """Where it was written, completely, on the disk of `TaskContext.work`; `publish` moves it away from there."""
    checkpointed: bool = True
    """Whether later checkpoints carry a copy. False, for what is large: on a new disk its task makes it again."""


class ArtifactSink(Protocol):
    """The artifacts of one job."""

    def publish(self, artifact: Artifact) -> Path:
        """
        Moves the folder to its place at once, and returns that. The same content again changes nothing.

        Raises ValueError for a wrong name, an empty folder, links in it, or more than checkpoints can carry.
        """

    def folder(self, name: str) -> Path:
        """The folder of an artifact that this task or an earlier one has published. Raises KeyError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """All that an engine may know of the world outside its configuration."""

    inputs: Path
    """The folder below which relative paths of the configuration lie; `input_file` joins them safely."""
    scratch: Path
    """A folder of the run's own for what it may need again and nobody else wants; gone after the run."""
    work: Path
    """A folder that stays between tasks, and between attempts on one disk: caches, prepared data."""
    artifacts: ArtifactSink
    ranks: RankInfo = RankInfo()
    frames: FrameSink
    checkpoints: Checkpointer
    progress: ProgressCallback
    stop: StopSignal
    models: ModelResolver
    device: str
    """A torch device: `cpu` or `cuda`."""
    seed: int
    """The configuration's seed, or one drawn and recorded; ≥ 0. Seed generators with it, never the global state."""
    preview: Preview = field(default_factory=NullPreview)
    set_frame_count: Callable[[int], None] = ignore_frame_count
    """Takes how many frames there will be; call it before the first step, as a job's form does not always tell."""
    log_metrics: MetricRecorder = ignore_metrics
    """Takes numbers for the table and its plot alone, which may have long names; what everybody shall see goes with
    `progress`."""
    fps: float = 24.0
    """Frames per second of the video to come."""
    versions: dict[str, str] = field(default_factory=dict)
    """What made the frames; engines add to it (pack digests, library versions), the manifest repeats it."""

    def input_file(self, name: str, *, field: str) -> Path:
        """The file `name` below `inputs`, named by the configuration's `field`. Raises BadInput unless it is a file."""
        path = self.input_path(name, field=field)
        if not path.is_file():
            raise BadInput(f"{field}: there is no file {name!r} in the input folder; add it to spec.inputs")
        return path

    def input_path(self, name: str, *, field: str) -> Path:
        """The file or folder `name` below `inputs`. Raises BadInput unless it is there."""
        root = self.inputs.resolve()
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise BadInput(f"{field}: {name!r} lies outside the input folder")
        if not path.exists():
            raise BadInput(f"{field}: there is no file {name!r} in the input folder; add it to spec.inputs")
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """What a task has to say at the end; the images lie in `frames`."""

    frames: int = 0
    """How many frames it made: indices 0…frames−1 have all been written, by this run or the one it resumed."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Last values worth keeping, such as the final loss."""
    composer: FrameComposer | None = None
    """What the video shows; absent: the frames, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """One task of a job: what to run, and when its result may be kept."""

    name: str
    """Unique in its job; lower-case letters, digits and dashes: render, prepare, train, generate, sample, evaluate."""
    run: Callable[[TaskContext], TaskResult]
    """Does the work. Raises the errors of `videojob_runner.errors`; anything else counts as our own fault."""
    key: str
    """Of all that the result depends on, except seed, models, frame rate and earlier tasks, which the runner adds; see
    `config_key`. A finished task is skipped while its key stays the same."""
    weight: float = 1.0
    """Share of the job's progress, > 0."""
    phase: Literal["running", "preparing", "training", "generating", "evaluating"] = "running"
    """What STATUS.json says meanwhile."""
    ranks: Literal["one", "all"] = "one"


class Engine(Protocol[ConfigT]):
    """A pipeline arm's implementation; made without arguments, found by the arm's name in `videojob.engines`."""

    Config: type[ConfigT]
    """The model of its arm in `videojob_api.pipelines`, or a subclass that adds options no user can set."""

    def tasks(self, config: ConfigT) -> Sequence[TaskPlan]:
        """
        The tasks of a job, at least one, in their order. Cheap: loads no weights; equal configurations, equal tasks.

        Every job needs a video. Where no task makes frames otherwise, one of them writes its previews as frames and
        counts them in its result. Raises BadConfig.
        """


@runtime_checkable
class SupportsWarmUp(Protocol):
    """What an engine may offer besides: loading its models once, for SETUP."""

    def warm_up(self, models: ModelResolver, *, device: str) -> None:
        """Loads the default models so that every cache is warm and every digest was looked at."""


def config_key(config: BaseModel, *, exclude: Collection[str] = ()) -> str:
    """The sha256, in hex, of a configuration without the fields `exclude`: for `TaskPlan.key`."""
    document = config.model_dump(mode="json", exclude=set(exclude))
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

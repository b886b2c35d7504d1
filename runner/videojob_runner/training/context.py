"""
What a training loop needs of its caller: checkpoints, previews, frames, progress, device and seed.

`engine.api.TaskContext` has all of it. `LocalTrainingContext` serves scripts and tests: each part that is not given
does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from videojob_runner.engine.api import Checkpointer, FrameSink, MetricRecorder, Preview, ProgressCallback
from videojob_runner.engine.null import NullCheckpointer, NullFrames, NullPreview, ignore_metrics, ignore_progress


class TrainingContext(Protocol):
    """All that the loop knows of the world."""

    @property
    def checkpoints(self) -> Checkpointer:
        """Checkpoints of this training."""

    @property
    def preview(self) -> Preview:
        """Live preview."""

    @property
    def frames(self) -> FrameSink:
        """Frames of the job's video."""

    @property
    def progress(self) -> ProgressCallback:
        """Called after each step."""

    @property
    def log_metrics(self) -> MetricRecorder:
        """Called with mean losses and validation metrics."""

    @property
    def device(self) -> str:
        """The torch device: `cpu`, `cuda` or `cuda:1`."""

    @property
    def seed(self) -> int:
        """Seed of everything random, ≥ 0."""

    @property
    def fps(self) -> float:
        """Frames per second of preview clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTrainingContext:
    """A `TrainingContext` for scripts and tests."""

    device: str = "cpu"
    seed: int = 0
    fps: float = 24.0
    checkpoints: Checkpointer = field(default_factory=NullCheckpointer)
    preview: Preview = field(default_factory=NullPreview)
    frames: FrameSink = field(default_factory=NullFrames)
    progress: ProgressCallback = ignore_progress
    log_metrics: MetricRecorder = ignore_metrics


@dataclass(frozen=True, slots=True)
class InitialCheckpoint:
    """Checkpoints that begin with the state of another training (`engine.api.Checkpointer`)."""

    checkpoints: Checkpointer
    folder: Path
    """What `TrainingState.save` wrote; loaded as long as there is no checkpoint of this training itself."""

    def latest(self) -> Path | None:
        """The newest checkpoint, or the other training's state."""
        return self.checkpoints.latest() or self.folder

    def maybe_save(self, step: int, write: Callable[[Path], None], /) -> None:
        """See `Checkpointer`."""
        self.checkpoints.maybe_save(step, write)

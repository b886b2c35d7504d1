"""
What a training loop needs of its caller: checkpoints, previews, frames, progress, device and seed.

An engine's task context has all of it. `LocalTrainingContext` serves scripts and tests: each part that is not given
does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

RgbImage = npt.NDArray[np.uint8]
"""One image: height × width × 3, RGB, 0…255."""
MetricCallback = Callable[[int, Mapping[str, float]], None]
"""Takes the values of a step (1-based) by their names."""


class TrainingCheckpoints(Protocol):
    """Where the state of the training is kept."""

    def latest(self) -> Path | None:
        """The folder of the newest complete checkpoint; read only."""

    def maybe_save(self, step: int, write: Callable[[Path], None], /) -> None:
        """
        Calls `write` with an empty folder if a checkpoint is due or the run is to stop.

        Raises the caller's own exception after saving if the run is to stop.
        """


class TrainingPreview(Protocol):
    """Shows people how far the training is."""

    def is_due(self) -> bool:
        """Whether a new preview is wanted; cheap enough for every step."""

    def show(self, image: RgbImage, /) -> None:
        """Takes a single image."""

    def show_clip(self, images: Iterable[RgbImage], /, *, fps: float) -> None:
        """Takes a clip of images of equal size."""


class TrainingFrames(Protocol):
    """Takes the frames of a video that shows the training."""

    def write(self, index: int, image: RgbImage, /) -> None:
        """Takes frame `index` (0-based)."""


class StepProgress(Protocol):
    """Takes the number of finished steps."""

    def __call__(self, done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
        """`done` of `total` steps are finished; called after each step."""


class TrainingContext(Protocol):
    """All that the loop knows of the world."""

    @property
    def checkpoints(self) -> TrainingCheckpoints:
        """Checkpoints of this training."""

    @property
    def preview(self) -> TrainingPreview:
        """Live preview."""

    @property
    def frames(self) -> TrainingFrames:
        """Frames of the job's video."""

    @property
    def progress(self) -> StepProgress:
        """Called after each step."""

    @property
    def log_metrics(self) -> MetricCallback:
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


class NoTrainingCheckpoints:
    """Saves nothing."""

    def latest(self) -> Path | None:
        """None."""
        return None

    def maybe_save(self, step: int, write: Callable[[Path], None], /) -> None:
        """Does nothing."""


class NoTrainingPreview:
    """Shows nothing."""

    def is_due(self) -> bool:
        """False."""
        return False

    def show(self, image: RgbImage, /) -> None:
        """Drops the image."""

    def show_clip(self, images: Iterable[RgbImage], /, *, fps: float) -> None:
        """Drops the clip."""


class NoTrainingFrames:
    """Keeps no frames."""

    def write(self, index: int, image: RgbImage, /) -> None:
        """Drops the image."""


def ignore_progress(done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
    """Does nothing."""


def ignore_metrics(step: int, metrics: Mapping[str, float]) -> None:
    """Does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTrainingContext:
    """A `TrainingContext` for scripts and tests."""

    device: str = "cpu"
    seed: int = 0
    fps: float = 24.0
    checkpoints: TrainingCheckpoints = field(default_factory=NoTrainingCheckpoints)
    preview: TrainingPreview = field(default_factory=NoTrainingPreview)
    frames: TrainingFrames = field(default_factory=NoTrainingFrames)
    progress: StepProgress = ignore_progress
    log_metrics: MetricCallback = ignore_metrics

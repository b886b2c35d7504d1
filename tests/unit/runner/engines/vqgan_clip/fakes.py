"""What the engine's tests see of the world: frames, progress and checkpoints that are written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from videojob_runner.engine.api import TaskContext
from videojob_runner.engines.vqgan_clip import VqganClip, VqganClipConfig
from videojob_runner.errors import Interrupted
from videojob_runner.media.frames import RgbImage
from videojob_runner.run.artifacts import ArtifactFolder


@dataclass
class RecordedFrames:
    """Frames by index, with their text."""

    pixels: dict[int, RgbImage] = field(default_factory=dict)
    texts: dict[int, dict[str, str]] = field(default_factory=dict)

    def write(self, index: int, pixels: RgbImage, /, *, text: Mapping[str, str] | None = None) -> None:
        self.pixels[index] = np.array(pixels)
        self.texts[index] = dict(text or {})


@dataclass
class RecordedProgress:
    """Every report."""

    reports: list[tuple[int, int, str]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def __call__(self, done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
        self.reports.append((done, total, message))
        self.losses.extend((metrics or {}).values())


@dataclass
class FakeCheckpointer:
    """A checkpoint that is written after step `interrupted_after`, which then ends the run; before that, none."""

    folder: Path
    interrupted_after: int | None = None
    visits: list[int] = field(default_factory=list)

    def latest(self) -> Path | None:
        return self.folder if self.folder.exists() else None

    def maybe_save(self, step: int, write: Callable[[Path], None]) -> None:
        self.visits.append(step)
        if step == self.interrupted_after:
            self.folder.mkdir()
            write(self.folder)
            raise Interrupted(f"stopped after step {step}")


@dataclass(frozen=True)
class FakeModelResolver:
    """Two pack folders by role."""

    generator: Path
    perceptor: Path

    def folder(self, role: str, *, default: str) -> Path:
        assert default == {"generator": "shapes-vqgan", "perceptor": "shapes-clip"}[role]
        return {"generator": self.generator, "perceptor": self.perceptor}[role]


@dataclass
class RecordingPreview:
    """Wants every picture."""

    shown: list[RgbImage] = field(default_factory=list)

    def is_due(self) -> bool:
        return True

    def show(self, pixels: RgbImage, /) -> None:
        self.shown.append(pixels)

    def show_clip(self, images: Iterable[RgbImage], /, *, fps: float) -> None:
        self.shown.extend(images)


class NeverStops:
    """A stop flag nobody sets: checkpoints decide about interruptions."""

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> None:
        """Nothing to wait for."""


@dataclass
class EngineHarness:
    """A run's surroundings, kept for looking at afterwards."""

    models: FakeModelResolver
    folder: Path
    seed: int = 7
    device: str = "cpu"
    interrupted_after: int | None = None
    frames: RecordedFrames = field(default_factory=RecordedFrames)
    progress: RecordedProgress = field(default_factory=RecordedProgress)
    versions: dict[str, str] = field(default_factory=dict)
    watcher: RecordingPreview = field(default_factory=RecordingPreview)
    expected: list[tuple[int, int]] = field(default_factory=list)
    """How many frames were announced, and how many reports had been made by then."""
    table: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    """What was recorded, by step."""

    def context(self) -> TaskContext:
        return TaskContext(
            inputs=self.folder,
            scratch=self.folder / "scratch",
            work=self.folder,
            artifacts=ArtifactFolder(self.folder / "artifacts"),
            frames=self.frames,
            checkpoints=FakeCheckpointer(self.folder / "checkpoint", self.interrupted_after),
            progress=self.progress,
            preview=self.watcher,
            log_metrics=lambda step, values: self.table.append((step, dict(values))),
            set_frame_count=lambda total: self.expected.append((total, len(self.progress.reports))),
            stop=NeverStops(),
            models=self.models,
            device=self.device,
            seed=self.seed,
            versions=self.versions,
        )

    def pictures(self) -> list[bytes]:
        """The frames in order, as bytes to compare."""
        return [self.frames.pixels[index].tobytes() for index in sorted(self.frames.pixels)]


HarnessFactory = Callable[..., EngineHarness]
"""Makes a fresh world, with some fields given."""


def run(w: EngineHarness, **fields: Any) -> EngineHarness:
    """The world after a run of the engine on pictures of 16 × 16 pixels, with steps that show."""
    config = VqganClipConfig.model_validate({"width": 16, "height": 16, "learningRate": 0.5, **fields})
    VqganClip().run(config, w.context())
    return w

"""Parts of a context that do nothing: for scripts, tests, and callers who want no checkpoints or previews."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from videojob_runner.errors import Interrupted
from videojob_runner.media.frames import RgbImage


class NullPreview:
    """Shows nothing (`engine.api.Preview`)."""

    def is_due(self) -> bool:
        """False."""
        return False

    def show(self, image: RgbImage, /) -> None:
        """Drops the image."""

    def show_clip(self, images: Iterable[RgbImage], /, *, fps: float) -> None:
        """Drops the clip."""


class NullFrames:
    """Keeps no frames (`engine.api.FrameSink`)."""

    def write(self, index: int, image: RgbImage, /, *, text: Mapping[str, str] | None = None) -> None:
        """Drops the frame."""


@dataclass(frozen=True, slots=True)
class NullCheckpointer:
    """Saves nothing, but can be interrupted (`engine.api.Checkpointer`)."""

    is_stopped: Callable[[], bool] = lambda: False
    """Whether the run is to stop."""
    remedy: str = "nothing of it is saved"
    """Added to the message."""

    def latest(self) -> Path | None:
        """No checkpoint is ever there."""
        return None

    def clear(self) -> None:
        """Ignore the call: there is nothing to remove."""

    def maybe_save(self, step: int, write: Callable[[Path], None], /) -> None:
        """Raises Interrupted if the run is to stop."""
        if self.is_stopped():
            raise Interrupted(f"stopped after step {step}; {self.remedy}")


def ignore_progress(done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
    """Does nothing (`engine.api.ProgressCallback`)."""


def ignore_metrics(step: int, metrics: Mapping[str, float]) -> None:
    """Does nothing (`engine.api.MetricRecorder`)."""


def ignore_frame_count(frames: int) -> None:
    """Ignore the number of frames: nobody shows progress."""

"""The one place where contexts of engines are built, for a job in a pod or on a laptop, and for a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from videojob_runner.engine.api import (
    MetricRecorder,
    ModelResolver,
    Preview,
    ProgressCallback,
    StopSignal,
    TaskContext,
)
from videojob_runner.engine.null import NullPreview, ignore_frame_count, ignore_metrics
from videojob_runner.run.storage import RunStorage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunObservers:
    """Who is told how far a run is; nobody by default."""

    progress: ProgressCallback
    preview: Preview = field(default_factory=NullPreview)
    log_metrics: MetricRecorder = ignore_metrics
    set_frame_count: Callable[[int], None] = ignore_frame_count


def build_context(
    storage: RunStorage,
    models: ModelResolver,
    observers: RunObservers,
    *,
    stop: StopSignal,
    device: str,
    fps: float,
    versions: dict[str, str],
) -> TaskContext:
    """The context of a whole job; `TaskRunner` makes that of each task from it."""
    return TaskContext(
        inputs=storage.folders.inputs,
        scratch=storage.folders.scratch,
        work=storage.folders.work,
        frames=storage.frames,
        checkpoints=storage.checkpoints,
        artifacts=storage.artifacts,
        seed=storage.seed,
        models=models,
        progress=observers.progress,
        preview=observers.preview,
        log_metrics=observers.log_metrics,
        set_frame_count=observers.set_frame_count,
        stop=stop,
        device=device,
        fps=fps,
        versions=versions,
    )

"""Progress, metrics and checkpoints of one task among those of its job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from videojob_runner.contract.checkpoints import STEPS_PER_TASK
from videojob_runner.engine.api import Checkpointer, MetricRecorder, ProgressCallback

UNITS: Final = 10_000
"""Of progress in a job of several tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMetrics:
    """Metrics of one task, called `<task>/<name>` where there are several tasks."""

    log: MetricRecorder
    prefix: str = ""

    def record(self, step: int, metrics: Mapping[str, float]) -> None:
        """Takes metrics of a step (`engine.api.MetricRecorder`)."""
        self.log(step, self.rename(metrics))

    def rename(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """The metrics under their names in the job."""
        return {f"{self.prefix}{name}": value for name, value in metrics.items()}


@dataclass(slots=True, kw_only=True)
class TaskProgress:
    """Progress of task `index` as a share of the job's (`engine.api.ProgressCallback`); logs its metrics as well."""

    report: ProgressCallback
    metrics: TaskMetrics
    weights: Sequence[float]
    """Of all tasks."""
    index: int
    _last: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
        """See `ProgressCallback`. Metrics that were not measured anew since the last call are not logged again."""
        metrics = metrics or {}
        self.report(*self.scale(done, total), message, metrics=self.metrics.rename(metrics))
        if metrics and metrics != self._last:
            self._last = dict(metrics)
            self.metrics.record(done, metrics)

    def scale(self, done: int, total: int) -> tuple[int, int]:
        """Units done and in all."""
        if len(self.weights) == 1:
            return done, total
        share = sum(self.weights[: self.index]) + self.weights[self.index] * done / total
        return max(1, int(UNITS * share / sum(self.weights))), UNITS


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCheckpoints:
    """The checkpoints of task `index` (`engine.api.Checkpointer`)."""

    job: Checkpointer
    index: int
    is_own: Callable[[Path], bool]
    """Whether a checkpoint of the job is one of this task."""
    add_files: Callable[[Path], None]
    """Called with a checkpoint's folder once the task has written into it."""

    def latest(self) -> Path | None:
        """The newest checkpoint, if it is one of this task."""
        folder = self.job.latest()
        return folder if folder is not None and self.is_own(folder) else None

    def maybe_save(self, step: int, write: Callable[[Path], None], /) -> None:
        """See `Checkpointer`."""

        def write_all(folder: Path) -> None:
            write(folder)
            self.add_files(folder)

        self.job.maybe_save(self.index * STEPS_PER_TASK + step, write_all)

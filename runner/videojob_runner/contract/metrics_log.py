"""
Every metric that an engine reports, step by step: `metrics.csv` beside STATUS, and a plot of it in the output.

    step,metric,value
    1,loss,0.913
    1,phrase,1
    1,loss: a red circle,0.913

What goes with the progress is written at each step; an engine may record more, as often as it likes. The metric
`phrase` is no curve: it tells where another part of the run begins.

Rows are written as they come, and at the latest when a checkpoint is saved, which keeps a copy: the next attempt may
have another disk. It goes on from that copy, so a run that was interrupted has one row for each step all the same. A
metric that an engine repeats because it has not looked again is no new row.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from videojob_runner.engine.api import SEGMENT_METRIC
from videojob_runner.media.plot import plot_metrics

METRICS_FILE = "metrics.csv"
HEADER = ("step", "metric", "value")
FLUSH_ROWS = 50


@dataclass(slots=True, kw_only=True)
class MetricsLog:
    """The log of one run in `folder`."""

    folder: Path
    _rows: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.folder / METRICS_FILE

    def start(self, checkpoint: Path | None) -> None:
        """Begins anew, or with what a checkpoint has kept."""
        if checkpoint is not None and (checkpoint / METRICS_FILE).is_file():
            shutil.copyfile(checkpoint / METRICS_FILE, self.path)
        else:
            self.path.write_text(",".join(HEADER) + "\n", encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Takes metrics of a step (1-based)."""
        self._rows.extend((step, name, f"{value:.9g}") for name, value in values.items())
        if len(self._rows) >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Brings all rows to the disk."""
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(self._rows)
        self._rows.clear()

    def copy_to(self, checkpoint: Path) -> None:
        """Puts a copy into a checkpoint's folder."""
        self.flush()
        shutil.copyfile(self.path, checkpoint / METRICS_FILE)

    def read_series(self) -> dict[str, list[tuple[float, float]]]:
        """Steps and values by metric."""
        self.flush()
        found: dict[str, list[tuple[float, float]]] = {}
        with self.path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["metric"], []).append((float(row["step"]), float(row["value"])))
        return found

    def plot(self, target: Path, *, title: str) -> None:
        """Draws everything; an engine without metrics gets no picture."""
        series = self.read_series()
        parts = {step: f"{SEGMENT_METRIC} {number:g}" for step, number in series.pop(SEGMENT_METRIC, [])}
        if series:
            plot_metrics(target, series, title=title, marks=parts)

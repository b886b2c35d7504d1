"""Progress bar from STATUS: percent, frames, remaining time and the runner's message."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from videojob_api.messages.report import Report


class ProgressDisplay:
    """A progress bar for one job; `update` may be called from any thread."""

    def __init__(self, name: str, *, console: Console) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[facts]}", markup=False),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=not console.is_terminal)
        self._task = self._progress.add_task(name, total=100, facts="fetching")

    def update(self, report: Report) -> None:
        """Draws a report."""
        self._progress.update(self._task, completed=report.percent, facts=format_report(report))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def format_report(report: Report) -> str:
    """One line about a report: state, frames, seconds left, message."""
    frames = f"{report.frames_done or 0}/{report.frames_total} frames" if report.frames_total else ""
    left = f"{report.eta_seconds} s left" if report.eta_seconds else ""
    return "  ".join(word for word in (report.state, frames, left, report.message) if word)

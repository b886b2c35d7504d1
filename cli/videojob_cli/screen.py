"""STATUS on the terminal: a bar that moves, with frames, message and the time that is left."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from videojob_api.report import Report


class Screen:
    """A progress bar for one job; a plain line where the terminal cannot draw."""

    def __init__(self, console: Console, name: str) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self._progress = Progress(*columns, TimeElapsedColumn(), console=console)
        self._task = self._progress.add_task(f"vj/{name}", total=100, text="")

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, report: Report) -> None:
        """Draws one state."""
        self._progress.update(self._task, completed=report.percent, text=line(report))


def line(report: Report) -> str:
    """State, frames, message and what is left, as one short line."""
    frames = f"{report.frames_done}/{report.frames_total}" if report.frames_total else ""
    left = f"{report.eta_seconds} s left" if report.eta_seconds is not None else ""
    return "  ".join(part for part in (report.state.value, frames, report.message, left) if part)

"""How a training stage tells where it is: one call per step, drawn as a bar on a terminal and as lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class StepCallback(Protocol):
    """Takes the number of the step that ended and its loss."""

    def __call__(self, step: int, loss: float, /) -> None:
        """Reports one step."""


@contextmanager
def progress_bar(stage: str, steps: int) -> Iterator[StepCallback]:
    """A progress bar on a terminal; elsewhere a line every 25 steps with loss and seconds per step."""
    console, started, mean = Console(), time.monotonic(), 0.0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(stage, total=steps)

        def report(step: int, loss: float) -> None:
            nonlocal mean
            mean = loss if step == 0 else 0.95 * mean + 0.05 * loss
            progress.update(task, completed=step + 1, description=f"{stage} loss {mean:.3f}")
            if not console.is_terminal and (step % 25 == 0 or step + 1 == steps):
                pace = (time.monotonic() - started) / (step + 1)
                print(f"{stage} {step + 1}/{steps} loss {mean:.4f} {pace:.2f} s/step", flush=True)

        yield report

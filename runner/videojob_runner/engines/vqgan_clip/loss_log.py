"""
What each prompt has of the loss, on its way to a run's table of numbers.

Shares go by the prompts' texts. A story of many prompts over many iterations shall still make a table worth keeping and
a picture worth looking at: a phrase has at most `MOST` shares, long texts are cut, and a run writes about `ROWS` of
each. Where a phrase begins is written down as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from videojob_runner.engine.api import PHRASE, Record
from videojob_runner.engines.vqgan_clip.latent.optimizer import Iteration
from videojob_runner.engines.vqgan_clip.schedule.iterations import Step

MOST: Final = 12
LONGEST: Final = 80
"""Characters of a text."""
ROWS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLog:
    """Writes down the shares of one run."""

    record: Record
    total: int
    """Iterations of the run."""
    looks: int
    """Iterations between two looks at the loss; a look in between waits for the device."""
    phrases: int
    held_by: str | None
    """The field by which the latent is held back, if it is."""

    def visit(self, done: int, step: Step, iteration: Iteration) -> None:
        """Takes iteration `done` (1-based); most of them leave nothing."""
        begins = done == 1 or step.new_phrase
        if begins and self.phrases > 1:
            self.record(done, {PHRASE: step.phrase + 1})
        if begins or done == self.total or done % self.interval == 0:
            self.record(done, {f"loss: {label}": share for label, share in self.shares(iteration).items()})

    @property
    def interval(self) -> int:
        """Iterations from one row to the next."""
        return self.looks * math.ceil(self.total / (self.looks * ROWS))

    def shares(self, iteration: Iteration) -> dict[str, float]:
        """Share by label; equal labels are added up, as are those beyond the first ones."""
        found: dict[str, float] = {}
        parts = iteration.parts.tolist()
        for label, part in zip(map(cut, iteration.labels), parts, strict=True):
            found[label] = found.get(label, 0.0) + part
        held = {} if self.held_by is None else {self.held_by: float(iteration.loss) - sum(parts)}
        return few(found) | held


def cut(label: str) -> str:
    """The label's first characters."""
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"


def few(shares: Mapping[str, float]) -> dict[str, float]:
    """All shares, or the first ones and the sum of the others."""
    items = list(shares.items())
    if len(items) <= MOST:
        return dict(items)
    others = items[MOST - 1 :]
    return dict(items[: MOST - 1]) | {f"{len(others)} more": sum(share for _, share in others)}

"""
What each prompt has of the loss, on its way to a run's table of numbers.

Shares go by the prompts' texts. A story of many prompts over many iterations shall still make a table worth keeping and
a picture worth looking at: a phrase has at most `MAX_SHARES` shares, long texts are cut, and a run writes about
`MAX_ROWS` of each. Where a phrase begins is written down as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from videojob_runner.engine.api import SEGMENT_METRIC, MetricRecorder
from videojob_runner.engines.vqgan_clip.latent.optimizer import IterationResult
from videojob_runner.engines.vqgan_clip.schedule.iterations import Iteration

MAX_SHARES: Final = 12
MAX_LABEL_CHARS: Final = 80
"""Characters of a text."""
MAX_ROWS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LossShareLog:
    """Writes down the shares of one run."""

    record: MetricRecorder
    total: int
    """Iterations of the run."""
    loss_interval: int
    """Iterations between two looks at the loss; a look in between waits for the device."""
    phrases: int
    init_weight_label: str | None
    """The field by which the latent is held back, if it is."""

    def log_if_due(self, done: int, step: Iteration, iteration: IterationResult) -> None:
        """Takes iteration `done` (1-based); most of them leave nothing."""
        begins = done == 1 or step.new_phrase
        if begins and self.phrases > 1:
            self.record(done, {SEGMENT_METRIC: step.phrase + 1})
        if begins or done == self.total or done % self.interval == 0:
            self.record(done, {f"loss: {label}": share for label, share in self.shares(iteration).items()})

    @property
    def interval(self) -> int:
        """Iterations from one row to the next."""
        return self.loss_interval * math.ceil(self.total / (self.loss_interval * MAX_ROWS))

    def shares(self, iteration: IterationResult) -> dict[str, float]:
        """Share by label; equal labels are added up, as are those beyond the first ones."""
        found: dict[str, float] = {}
        parts = iteration.prompt_losses.tolist()
        for label, part in zip(map(truncate, iteration.labels), parts, strict=True):
            found[label] = found.get(label, 0.0) + part
        held = {} if self.init_weight_label is None else {self.init_weight_label: float(iteration.loss) - sum(parts)}
        return merge_tail(found) | held


def truncate(label: str) -> str:
    """The label's first characters."""
    return label if len(label) <= MAX_LABEL_CHARS else f"{label[: MAX_LABEL_CHARS - 1]}…"


def merge_tail(shares: Mapping[str, float]) -> dict[str, float]:
    """All shares, or the first ones and the sum of the others."""
    items = list(shares.items())
    if len(items) <= MAX_SHARES:
        return dict(items)
    others = items[MAX_SHARES - 1 :]
    return dict(items[: MAX_SHARES - 1]) | {f"{len(others)} more": sum(share for _, share in others)}

"""
Adaptive learning rate (specification vqgan-clip §2.14): divided by ten when the loss stops decreasing.

Every iteration has other cutouts, so its loss is noisy, and a schedule that looks at single losses takes noise for a
plateau and soon stands still (Q-37). This one looks at an average over about as many losses as it has patience for.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import Final

import torch
from torch import Tensor

FACTOR: Final = 0.1
THRESHOLD: Final = 1e-4
"""By how much of itself the lowest loss must be undercut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauOptions:
    """When to lower the rate."""

    patience: int
    """How many in a row may pass without a lower loss."""
    upstream: bool = False
    """
    Judge single losses, as torch's ReduceLROnPlateau does, and begin anew with every optimiser.

    Else averages are judged, as soon as there have been `iterations` of them, and each phrase begins anew.
    """

    @property
    def smoothing(self) -> float:
        """Of the newest loss in the moving average."""
        return 1.0 if self.upstream else 2 / (self.patience + 1)


@dataclass(slots=True)
class PlateauState:
    """What a plateau has seen."""

    factor: float = 1.0
    total: float = 0.0
    """The moving average times `mass`."""
    mass: float = 0.0
    """Sum of the weights in the average; 1 once the beginning is forgotten."""
    best: float = math.inf
    seen: float = 0
    bad_iterations: float = 0


class ReduceOnPlateau:
    """Looks at the losses of a run, one after the other; `factor` goes onto the learning rate."""

    def __init__(self, patience: PlateauOptions) -> None:
        self.patience = patience
        self.memory = PlateauState()

    @property
    def factor(self) -> float:
        """1, 0.1, 0.01 and so on."""
        return self.memory.factor

    def step(self, loss: float) -> None:
        """Takes the loss of one iteration, and lowers the factor when patience has ended."""
        memory, patience = self.memory, self.patience
        memory.total += patience.smoothing * (loss - memory.total)
        memory.mass += patience.smoothing * (1 - memory.mass)
        memory.seen += 1
        average = memory.total / memory.mass
        settling = not patience.upstream and memory.seen <= patience.patience
        if settling or is_better(average, memory.best):
            memory.best, memory.bad_iterations = average, 0
            return
        memory.bad_iterations += 1
        if memory.bad_iterations > patience.patience:
            memory.factor, memory.bad_iterations = memory.factor * FACTOR, 0

    def on_new_optimizer(self) -> None:
        """A new optimiser goes on."""
        if self.patience.upstream:
            self.memory = PlateauState()

    def on_new_phrase(self) -> None:
        """Other prompts follow: what has settled must be moved again, at the full rate."""
        if not self.patience.upstream:
            self.memory = PlateauState()

    def state_dict(self) -> dict[str, Tensor]:
        """The memory, as doubles."""
        return {"plateau": torch.tensor(astuple(self.memory), dtype=torch.float64)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Takes over what `state` returned."""
        self.memory = PlateauState(*state["plateau"].tolist())


def is_better(loss: float, best: float) -> bool:
    """Whether `loss` is lower than `best` by more than the threshold; anything is lower than infinity."""
    return math.isinf(best) or loss < best - THRESHOLD * abs(best)

"""
Init weight loss: keeps the latent close to a target latent (specification vqgan-clip §2.11).

Four forms: back to the start, toward zero and fading, and toward a target that the form sets (the source frame of a
style transfer), constant or fading. Fading goes by the age, the number of the iteration as its form counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as nnf
from torch import Tensor

Method = Literal["original", "decay", "target", "targetDecay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InitWeight:
    """How strongly z is held, and by what; weight 0 does not hold it."""

    weight: float = 0.0
    method: Method = "original"

    @property
    def is_active(self) -> bool:
        """Whether there is anything to add to the loss."""
        return self.weight != 0

    def loss(self, z: Tensor, *, start: Tensor, target: Tensor | None, age: int) -> Tensor:
        """What to add to the loss of `z` ``[1, C, h, w]`` at iteration `age`. Raises ValueError without its target."""
        towards = {"original": start, "decay": torch.zeros_like(z)}.get(self.method, target)
        if towards is None:
            raise ValueError(f"the init weight method {self.method!r} needs a target, which this form does not set")
        return self.factor(age) * nnf.mse_loss(z, towards)

    def factor(self, age: int) -> float:
        """The factor of the mean squared difference; only the fading target's weight is not halved."""
        fading = 1 / (2 * age + 1)
        share = {"original": 0.5, "decay": 0.5 * fading, "target": 0.5, "targetDecay": 5 * fading}
        return self.weight * share[self.method]

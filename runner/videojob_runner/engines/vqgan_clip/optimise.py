"""
What changes during a run: the latent z with its optimiser, moved one iteration at a time.

Only z is trained. After each step it is clamped, channel by channel, to the range of the codebook. The state can be
written down and taken up again without a bit of difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from videojob_runner.engines.vqgan_clip.anchor import FREE, Anchor
from videojob_runner.engines.vqgan_clip.guidance import Guidance
from videojob_runner.engines.vqgan_clip.losses import Targets
from videojob_runner.engines.vqgan_clip.quantise import codebook_range
from videojob_runner.engines.vqgan_clip.randomness import Randomness

MOMENTS: Final = ("step", "exp_avg", "exp_avg_sq")
"""What Adam remembers of its parameter."""


@dataclass(frozen=True, slots=True)
class Iteration:
    """What one iteration saw before it moved z."""

    picture: Tensor
    """``[1, 3, H, W]`` in 0…1."""
    loss: Tensor
    """A scalar on the compute device; reading it waits for the device."""


class Latent:
    """z ``[1, C, h, w]``, its Adam, and what holds it back."""

    def __init__(self, z: Tensor, codebook: Tensor, *, anchor: Anchor = FREE) -> None:
        self.anchor = anchor
        self.target: Tensor | None = None
        """A latent that a form wants z to stay near, for the anchors that need one; the form may change it any time."""
        self._range = codebook_range(codebook)
        self.restart(z)

    def restart(self, z: Tensor, *, start: Tensor | None = None) -> None:
        """
        Goes on from another latent with a fresh optimiser: the moments of the old picture mean nothing to it.

        `start` is what an anchor may hold z near; the new z itself unless given.
        """
        self.z = z.detach().clone().requires_grad_()
        self.start = self.z.detach().clone() if start is None else start
        self.adam = torch.optim.Adam([self.z])

    def step(
        self, guidance: Guidance, targets: Targets, *, rate: float, randomness: Randomness, age: int = 0
    ) -> Iteration:
        """One iteration towards the targets at learning rate `rate`; `age` is its number, by which anchors fade."""
        picture = guidance.picture(self.z)
        loss = guidance.loss(picture, targets, randomness)
        if self.anchor.acts:
            loss = loss + self.anchor.loss(self.z, start=self.start, target=self.target, age=age)
        self.adam.param_groups[0]["lr"] = rate
        self.adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.adam.step()
        with torch.no_grad():
            self.z.clamp_(*self._range)
        return Iteration(picture.detach(), loss.detach())

    def state(self) -> dict[str, Tensor]:
        """z, what it is held near, and what Adam remembers; the latter is absent before the first step."""
        memory = self.adam.state.get(self.z, {})
        held = {"start": self.start} if self.anchor.acts else {}
        if self.target is not None:
            held["target"] = self.target
        return {"z": self.z.detach(), **held, **{f"adam.{name}": memory[name] for name in MOMENTS if name in memory}}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Takes over what `state` returned."""
        device = self.z.device
        start, target = state.get("start"), state.get("target")
        self.restart(state["z"].to(device), start=None if start is None else start.to(device))
        self.target = None if target is None else target.to(device)
        if "adam.step" in state:
            memory = {name: state[f"adam.{name}"].to(device) for name in MOMENTS}
            memory["step"] = memory["step"].cpu()  # Adam counts on the CPU
            self.adam.state[self.z] = memory

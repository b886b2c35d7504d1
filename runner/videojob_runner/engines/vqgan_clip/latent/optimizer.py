"""
State that changes during a run: the latent z and its optimizer, updated once per iteration.

Only z is trained. After each step it is clamped, channel by channel, to the range of the codebook. The state can be
written down and taken up again without a bit of difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor
from videojob_api.pipelines.vqgan_clip import OptimizerName

from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.latent.optimizers import OPTIMIZERS
from videojob_runner.engines.vqgan_clip.losses.init_weight import InitWeight
from videojob_runner.engines.vqgan_clip.losses.layout import LayoutLoss
from videojob_runner.engines.vqgan_clip.losses.prompts import PromptTargets
from videojob_runner.engines.vqgan_clip.schedule.plateau import PlateauOptions, ReduceOnPlateau
from videojob_runner.models.vqgan.quantize import codebook_range
from videojob_runner.torch_utils.random_streams import RandomStreams

OPTIMIZER_PREFIX: Final = "optimiser."
"""Before the names of what the optimiser remembers of its parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerOptions:
    """How z moves, besides towards the prompts."""

    optimizer: OptimizerName = "Adam"
    init_weight: InitWeight = field(default_factory=InitWeight)
    """What holds it back."""
    plateau: PlateauOptions | None = None
    """When the learning rate falls; absent: it stays as the schedule says."""


DEFAULTS: Final = OptimizerOptions()


@dataclass(frozen=True, slots=True)
class IterationResult:
    """What one iteration saw before it moved z."""

    image: Tensor
    """``[1, 3, H, W]`` in 0…1."""
    loss: Tensor
    """A scalar on the compute device; reading it waits for the device."""
    prompt_losses: Tensor
    """What each target has of it, ``[m]``; the rest is the anchor's."""
    labels: Sequence[str]
    """What the targets are called."""


class LatentOptimizer:
    """z ``[1, C, h, w]``, its optimiser, and what holds it back."""

    def __init__(self, z: Tensor, codebook: Tensor, descent: OptimizerOptions = DEFAULTS) -> None:
        self.descent = descent
        self.plateau = ReduceOnPlateau(descent.plateau) if descent.plateau else None
        self.target: Tensor | None = None
        """A latent that a form wants z to stay near, for the anchors that need one; the form may change it any time."""
        self._range = codebook_range(codebook)
        self.reset(z)

    def reset(self, z: Tensor, *, start: Tensor | None = None) -> None:
        """
        Goes on from another latent with a fresh optimiser: the moments of the old picture mean nothing to it.

        `start` is what an anchor may hold z near; the new z itself unless given.
        """
        self.z = z.detach().clone().requires_grad_()
        self.start = self.z.detach().clone() if start is None else start
        self.optimiser = OPTIMIZERS[self.descent.optimizer]([self.z])
        if self.plateau:
            self.plateau.on_new_optimizer()

    @torch.no_grad()
    def warp(self, carry: Callable[[Tensor], Tensor]) -> None:
        """Lets `carry` move all that belongs to places of the picture: z, and what the optimiser remembers of it."""
        for value in (self.z, *self.optimiser.state[self.z].values()):
            if value.shape == self.z.shape:
                value.copy_(carry(value))

    def start_phrase(self) -> None:
        """Tells an adaptive learning rate that other prompts follow."""
        if self.plateau:
            self.plateau.on_new_phrase()

    def step(
        self,
        guidance: Guidance,
        targets: PromptTargets,
        *,
        rate: float,
        randomness: RandomStreams,
        age: int = 0,
        layout: LayoutLoss | None = None,
    ) -> IterationResult:
        """
        One iteration towards the targets at learning rate `rate`; `age` is its number, by which anchors fade.

        The picture is kept in `layout` if there is one.
        """
        picture, anchor = guidance.decode(self.z), self.descent.init_weight
        loss, parts = guidance.losses(picture, targets, randomness)
        if anchor.is_active:
            loss = loss + anchor.loss(self.z, start=self.start, target=self.target, age=age)
        if layout:
            loss = loss + layout.loss(picture)
        self.optimiser.param_groups[0]["lr"] = rate * (self.plateau.factor if self.plateau else 1)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        with torch.no_grad():
            self.z.clamp_(*self._range)
        if self.plateau:
            self.plateau.step(float(loss.detach()))  # waits for the device: the price of an adaptive rate
        return IterationResult(picture.detach(), loss.detach(), parts, targets.labels)

    def state_dict(self) -> dict[str, Tensor]:
        """z, what it is held near, and what optimiser and plateau remember; some of it comes with the first step."""
        state = {f"{OPTIMIZER_PREFIX}{name}": value for name, value in self.optimiser.state[self.z].items()}
        state["z"] = self.z.detach()
        if self.descent.init_weight.is_active:
            state["start"] = self.start
        if self.target is not None:
            state["target"] = self.target
        return state | (self.plateau.state_dict() if self.plateau else {})

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Takes over what `state` returned."""
        device = self.z.device
        start, target = state.get("start"), state.get("target")
        self.reset(state["z"].to(device), start=None if start is None else start.to(device))
        self.target = None if target is None else target.to(device)
        memory = {
            name.removeprefix(OPTIMIZER_PREFIX): value
            for name, value in state.items()
            if name.startswith(OPTIMIZER_PREFIX)
        }
        # Optimisers count their steps on the CPU.
        self.optimiser.state[self.z].update(
            {name: value.cpu() if name == "step" else value.to(device) for name, value in memory.items()}
        )
        if self.plateau:
            self.plateau.load_state_dict(state)

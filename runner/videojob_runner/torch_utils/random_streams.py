"""
Every random number of a run comes from two generators made of its seed, never from the global state.

`host` draws what is small and must be equal on every device (crops, augmentation parameters, start codes); `noise`
lives on the compute device. Both states travel in checkpoints, so that a resumed run draws what it would have drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class RandomStreams:
    """The two streams of one run."""

    host: torch.Generator
    noise: torch.Generator

    @classmethod
    def from_seed(cls, seed: int, *, device: str | torch.device = "cpu", branch: tuple[int, ...] = ()) -> RandomStreams:
        """Streams for a seed ≥ 0, or for a `branch` of it; independent of each other, other branches and seeds."""
        sequence = np.random.SeedSequence(seed, spawn_key=branch)
        host, noise = (int(word) for word in sequence.generate_state(2, np.uint64))
        return cls(torch.Generator().manual_seed(host), torch.Generator(device).manual_seed(noise))

    @classmethod
    def from_seed_upstream(cls, seed: int, *, device: str | torch.device = "cpu") -> RandomStreams:
        """The streams of the original, which seeds torch itself: on the CPU both are one (specification §2.15)."""
        host = torch.Generator().manual_seed(seed)
        return cls(host, host if torch.device(device).type == "cpu" else torch.Generator(device).manual_seed(seed))

    def state_dict(self) -> dict[str, Tensor]:
        """Both states as byte tensors."""
        return {"random.host": self.host.get_state(), "random.noise": self.noise.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Takes both streams back to where `state` was read."""
        self.host.set_state(state["random.host"])
        self.noise.set_state(state["random.noise"])


@contextmanager
def borrow_global_rng(generator: torch.Generator) -> Iterator[None]:
    """
    Lends `generator` (a CPU one) to libraries that can only draw from torch's global CPU generator, as kornia does.

    The global state afterwards is what it was before; `generator` has moved on by what was drawn.
    """
    before = torch.get_rng_state()
    torch.set_rng_state(generator.get_state())
    try:
        yield
        generator.set_state(torch.get_rng_state())
    finally:
        torch.set_rng_state(before)

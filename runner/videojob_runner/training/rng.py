"""Random states of a training: seeds derived from one seed, and states that are saved, restored and preserved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

NO_GENERATORS: Mapping[str, torch.Generator] = {}


def derive_seed(seed: int, *path: int) -> int:
    """A 63-bit seed for the place `path` (ints ≥ 0, such as rank or step) below `seed`; other paths, other streams."""
    return int(np.random.SeedSequence(seed, spawn_key=path).generate_state(1, np.uint64)[0] >> np.uint64(1))


def rng_state(device: str, generators: Mapping[str, torch.Generator] = NO_GENERATORS) -> dict[str, Tensor]:
    """States of torch's generators for the CPU and `device`, and of `generators`, as uint8 vectors on the CPU."""
    state = {"cpu": torch.get_rng_state()}
    if device.startswith("cuda"):
        state["cuda"] = torch.cuda.get_rng_state(torch.device(device))
    return state | {f"generator.{name}": generator.get_state() for name, generator in generators.items()}


def set_rng_state(
    state: Mapping[str, Tensor], device: str, generators: Mapping[str, torch.Generator] = NO_GENERATORS
) -> None:
    """Restores what `rng_state` returned. Raises KeyError if a state is missing."""
    torch.set_rng_state(state["cpu"])
    if device.startswith("cuda"):
        torch.cuda.set_rng_state(state["cuda"], torch.device(device))
    for name, generator in generators.items():
        generator.set_state(state[f"generator.{name}"])


@contextmanager
def preserve_rng(device: str, generators: Mapping[str, torch.Generator] = NO_GENERATORS) -> Iterator[None]:
    """Restores all random states after the block, so that it cannot change what is drawn later."""
    state = rng_state(device, generators)
    try:
        yield
    finally:
        set_rng_state(state, device, generators)


@contextmanager
def seed_rng(seed: int, device: str) -> Iterator[None]:
    """Seeds torch's generators for the block, and restores their states after it."""
    with preserve_rng(device):
        torch.manual_seed(seed)
        yield

"""The order in which samples are drawn: a function of seed and position, so that a training can go on anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from videojob_runner.training.rng import derive_seed


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample to load; what a dataset's `__getitem__` takes."""

    index: int
    """Of the sample in the dataset."""
    seed: int
    """For whatever is random about this draw, such as augmentations; another one in each epoch."""

    def rng(self) -> np.random.Generator:
        """A generator of this draw's own, so that it depends neither on workers nor on earlier draws."""
        return np.random.default_rng(self.seed)


class ResumableSampler:
    """
    Endless batches of draws, in a new random order in each epoch.

    Batches run on across the ends of epochs, so that every index is drawn exactly once in each. `batch_size` is that of
    all processes together: process `rank` of `world_size` gets its part of each batch, and the order does not depend on
    their number.
    """

    def __init__(self, size: int, *, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        if size < 1:
            raise ValueError("the dataset is empty; it needs at least one sample")
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(f"batch_size: {batch_size} is not a positive multiple of the {world_size} processes")
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.rank, self.world_size = rank, world_size

    def batches(self, position: int = 0) -> Iterator[list[Draw]]:
        """This process's part of each batch, after `position` samples were drawn by all processes together."""
        share = self.batch_size // self.world_size
        first = position + self.rank * share
        epoch, order = -1, np.empty(0, dtype=np.int64)
        while True:
            batch = []
            for number in range(first, first + share):
                if number // self.size != epoch:
                    epoch = number // self.size
                    order = self.order(epoch)
                batch.append(Draw(int(order[number % self.size]), derive_seed(self.seed, 1, number)))
            yield batch
            first += self.batch_size

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """The order of the indices 0…size − 1 in an epoch (0-based)."""
        return np.random.default_rng(derive_seed(self.seed, 0, epoch)).permutation(self.size)

    def state_dict(self, position: int) -> dict[str, Any]:
        """What a position depends on, as JSON values."""
        return {"position": position, "size": self.size, "seed": self.seed}

    def load_state_dict(self, state: Mapping[str, Any]) -> int:
        """The position in a state. Raises ValueError if the state is that of another size or seed."""
        for name, present in (("size", self.size), ("seed", self.seed)):
            if state[name] != present:
                raise ValueError(
                    f"the checkpoint's data has {name} {state[name]}, this one {present}; continue with the same data"
                )
        return int(state["position"])

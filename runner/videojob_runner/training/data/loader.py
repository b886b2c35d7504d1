"""Batches of a dataset in a resumable order (`module.BatchSource`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch.utils.data import DataLoader, default_collate

from videojob_runner.training.data.sampler import Draw, ResumableSampler

SampleT_co = TypeVar("SampleT_co", covariant=True)
LoadedT = TypeVar("LoadedT")


class DrawDataset(Protocol[SampleT_co]):
    """A dataset whose samples are drawn: what is random about a sample comes from the draw."""

    def __len__(self) -> int:
        """How many samples there are."""

    def __getitem__(self, draw: Draw, /) -> SampleT_co:
        """The sample of a draw."""


class _DrawBatches:
    """A batch sampler of a DataLoader that starts at a position."""

    def __init__(self, sampler: ResumableSampler, position: int) -> None:
        self.sampler, self.position = sampler, position

    def __iter__(self) -> Iterator[list[Draw]]:
        return self.sampler.batches(self.position)


class BatchLoader(Generic[LoadedT]):
    """
    Loads batches, in this process or in `workers` others, and counts those that were handed out.

    `collate` makes a batch of a list of samples; the default stacks tensors and arrays. Batches do not depend on the
    number of workers.
    """

    def __init__(
        self,
        dataset: DrawDataset[Any],
        sampler: ResumableSampler,
        *,
        collate: Callable[[list[Any]], LoadedT] = default_collate,
        workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        self.dataset, self.sampler, self.collate = dataset, sampler, collate
        self.workers, self.pin_memory = workers, pin_memory
        self.position = 0

    def batches(self) -> Iterator[LoadedT]:
        """Batches from the present position on, without end."""
        loader: DataLoader[Any] = DataLoader(
            self.dataset,  # type: ignore[arg-type]
            batch_sampler=_DrawBatches(self.sampler, self.position),
            collate_fn=self.collate,
            num_workers=self.workers,
            pin_memory=self.pin_memory,
            generator=torch.Generator(),  # its seeds for workers must not come from the training's random numbers
        )
        for batch in loader:
            self.position += self.sampler.batch_size
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """See `BatchSource`."""
        return self.sampler.state_dict(self.position)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `BatchSource`."""
        self.position = self.sampler.load_state_dict(state)

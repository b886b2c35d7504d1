"""What an engine implements in order to be trained: `TrainingModule`; and the errors of the kit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from videojob_runner.media.frames import RgbImage

BatchT_co = TypeVar("BatchT_co", covariant=True)
BatchT_contra = TypeVar("BatchT_contra", contravariant=True)


class StateMismatch(ValueError):
    """A saved training state does not fit the module, or is damaged; the text names the first difference."""


class TrainingDiverged(ArithmeticError):
    """A loss is no longer a finite number; the text names loss, step and remedy."""


class OptimizeCallback(Protocol):
    """One optimizer step; `step.Optimize` is the implementation."""

    def __call__(
        self, name: str, loss: Tensor, *, clip_norm: float | None = None, retain_graph: bool = False
    ) -> Tensor:
        """Steps the optimizer `name` down the gradient of the scalar `loss`; returns the gradient's norm, a scalar."""


class TrainingModule(Protocol[BatchT_contra]):
    """
    Networks, their optimizers and one training step. Subclass it, and set at least `networks` and `optimizers`.

    The constructor places the networks on their device. Everything random comes from torch's global generator of that
    device, which the trainer seeds, or from `generators`: both are part of the saved state.
    """

    networks: Mapping[str, nn.Module]
    """All networks whose weights are saved, by names without dots."""
    optimizers: Mapping[str, Optimizer]
    """Each optimizes parameters of `networks` only."""
    schedulers: Mapping[str, LRScheduler] = MappingProxyType({})
    """By the name of their optimizer; stepped after each of its steps."""
    generators: Mapping[str, torch.Generator] = MappingProxyType({})
    """Generators that `training_step` draws from."""

    def training_step(self, batch: BatchT_contra, step: int, optimize: OptimizeCallback) -> Mapping[str, Tensor]:
        """
        Trains on one batch and returns scalars to log, such as losses, without waiting for the device.

        `step` counts from 0. Call `optimize` once for each optimizer that is to step: a GAN calls it twice.
        """
        ...

    def validate(self) -> Mapping[str, float]:
        """Metrics on held-out data. Called without gradients, in evaluation mode, with averaged weights if any."""
        return {}

    def preview(self) -> Sequence[RgbImage]:
        """One image, or the images of a clip, that show what the networks can do. Called like `validate`."""
        return ()


class BatchSource(Protocol[BatchT_co]):
    """An endless, resumable source of batches; `data.loader.BatchLoader` is one."""

    def batches(self) -> Iterator[BatchT_co]:
        """Batches from the present position on, without end."""

    def state_dict(self) -> dict[str, Any]:
        """The position, as JSON values; counts the batches that were handed out."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes to a position. Raises ValueError if it belongs to other data."""

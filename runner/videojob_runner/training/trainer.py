"""
The training loop: one optimizer schedule of steps, resumable at each of them.

    trainer = Trainer(config=TrainerConfig(steps=10_000, ema_decay=0.999), context=context, source=loader)
    summary = trainer.fit(module)

Weights after `steps` steps do not depend on interruptions, previews, validation or logging. The loop waits for the
device only where it logs, validates, shows or saves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import Tensor

from videojob_runner.engine.api import Checkpointer
from videojob_runner.media.frames import RgbImage
from videojob_runner.training.context import TrainingContext
from videojob_runner.training.distributed import (
    DistributedCheckpoints,
    broadcast_parameters,
    rank,
    world_size,
)
from videojob_runner.training.ema import ModelEma
from videojob_runner.training.metrics import RunningMean
from videojob_runner.training.module import BatchSource, TrainingDiverged, TrainingModule
from videojob_runner.training.preview import evaluation
from videojob_runner.training.rng import derive_seed, rng_state, seed_rng
from videojob_runner.training.state import TrainingRecord, TrainingState
from videojob_runner.training.step import Optimize

BatchT = TypeVar("BatchT")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerConfig:
    """How to train. `…_every` are numbers of steps, 0 is never; the last step is always logged and validated then."""

    steps: int
    log_every: int = 50
    validate_every: int = 0
    preview_every: int = 0
    """Previews that become frames of the job's video, the first of them before any training."""
    ema_decay: float | None = None
    ema_networks: tuple[str, ...] | None = None
    """Which networks are averaged; None: all."""
    clip_norm: float | None = None
    """The largest norm of an optimizer's gradient."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: forward passes under autocast, weights in float32. float16 would need a scaled loss."""
    best_metric: str | None = None
    """The validation metric by which `TrainingRecord.best_step` is chosen."""
    best_mode: Literal["max", "min"] = "max"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps: {self.steps}; at least 1 is needed")
        for name in ("log_every", "validate_every", "preview_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: {getattr(self, name)}; 0 is never, otherwise a number of steps")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSummary:
    """What a finished training leaves; the networks hold the weights of the last step."""

    state: TrainingState
    """`state.save(folder)` keeps it for another training that goes on from here."""
    ema: ModelEma | None
    """Averaged weights; `with summary.ema.apply():` gives them to the networks."""

    @property
    def record(self) -> TrainingRecord:
        """Steps, time and newest metrics."""
        return self.state.record

    @contextmanager
    def final_weights(self) -> Iterator[None]:
        """Gives the networks their averaged weights for the block, if there are any."""
        if self.ema is None:
            yield
        else:
            with self.ema.apply():
                yield


@dataclass(frozen=True, kw_only=True)
class Trainer(Generic[BatchT]):
    """Trains modules of one kind of batch."""

    config: TrainerConfig
    context: TrainingContext
    source: BatchSource[BatchT]
    clock: Callable[[], float] = time.monotonic

    def fit(self, module: TrainingModule[BatchT]) -> TrainingSummary:
        """
        Trains until `config.steps` steps are done, from the newest checkpoint on.

        Raises StateMismatch if the checkpoint belongs to another module, TrainingDiverged if a loss is no longer
        finite, and whatever `context.checkpoints` raises in order to stop.
        """
        with seed_rng(derive_seed(self.context.seed, rank()), self.context.device):
            return TrainingRun(self, module).run()


@dataclass
class TrainingRun(Generic[BatchT]):
    """One call of `Trainer.fit`."""

    trainer: Trainer[BatchT]
    module: TrainingModule[BatchT]
    ema: ModelEma | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.config, self.context = self.trainer.config, self.trainer.context
        self.checkpoints: Checkpointer = self.context.checkpoints
        if world_size() > 1:
            self.checkpoints = DistributedCheckpoints(self.context.checkpoints)
        self.optimize = Optimize(self.module.optimizers, self.module.schedulers, clip_norm=self.config.clip_norm)

    def run(self) -> TrainingSummary:
        """Trains to the end."""
        self.start()
        batches = self.trainer.source.batches()
        while self.record.step < self.config.steps:
            self.train_step(next(batches))
        self.state.rng = rng_state(self.context.device, self.module.generators)
        return TrainingSummary(state=self.state, ema=self.ema)

    @property
    def record(self) -> TrainingRecord:
        """How far it is."""
        return self.state.record

    def start(self) -> None:
        """Loads the newest checkpoint, or makes all processes begin with equal weights."""
        networks = self.module.networks
        broadcast_parameters(networks.values())
        if self.config.ema_decay is not None:
            names = self.config.ema_networks or tuple(networks)
            self.ema = ModelEma({name: networks[name] for name in names}, self.config.ema_decay)
        self.state = TrainingState(
            module=self.module,
            device=self.context.device,
            seed=self.context.seed,
            source=self.trainer.source,
            ema=self.ema,
            means=RunningMean(self.context.device),
        )
        folder = self.checkpoints.latest()
        if folder is not None:
            self.state.load(folder)
        elif self.config.preview_every:
            self.write_frame(0)
        self.begin = self.trainer.clock() - self.record.elapsed_seconds

    def train_step(self, batch: BatchT) -> None:
        """One step, and whatever is due after it."""
        with self.autocast():
            losses = self.module.training_step(move_batch(batch, self.context.device), self.record.step, self.optimize)
        self.record.step += 1
        if self.ema is not None:
            self.ema.update()
        self.state.means.update(losses)
        metrics = self.log() if self.is_due(self.config.log_every) else None
        if self.is_due(self.config.validate_every):
            self.validate()
        self.show()
        self.record.elapsed_seconds = self.trainer.clock() - self.begin
        self.context.progress(self.record.step, self.config.steps, metrics=metrics)
        self.checkpoints.maybe_save(self.record.step, self.state.save)

    def is_due(self, every: int) -> bool:
        """Whether something that happens each `every` steps is due after this step."""
        return every > 0 and (self.record.step % every == 0 or self.record.step == self.config.steps)

    def log(self) -> dict[str, float]:
        """Reports mean losses since the last time. The only place in every run that waits for the device."""
        step, metrics = self.record.step, self.state.means.compute()
        self.state.means.reset()
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise TrainingDiverged(
                    f"{name} is {value} within the {self.config.log_every} steps up to {step};"
                    " use a lower learning rate, a clip_norm, or precision float32"
                )
        self.record.metrics |= metrics
        self.context.log_metrics(step, metrics)
        return metrics

    def validate(self) -> None:
        """Reports validation metrics, which every process computes, so that none waits for another."""
        with self.evaluation():
            metrics = dict(self.module.validate())
        self.record.metrics |= metrics
        if self.config.best_metric is not None:
            self.keep_best(self.config.best_metric, metrics)
        if metrics:
            self.context.log_metrics(self.record.step, metrics)

    def keep_best(self, name: str, metrics: Mapping[str, float]) -> None:
        """Records a new best value of the metric `name`. Raises ValueError if the module does not measure it."""
        record = self.record
        if name not in metrics:
            raise ValueError(f"best_metric: {name!r} is not measured; validate() gives {', '.join(sorted(metrics))}")
        sign = 1 if self.config.best_mode == "max" else -1
        if record.best_value is None or sign * metrics[name] > sign * record.best_value:
            record.best_value, record.best_step = metrics[name], record.step

    def show(self) -> None:
        """Shows a live preview, and writes a frame of the job's video, when they are due."""
        if rank() != 0:
            return
        if self.context.preview.is_due():
            self.show_preview(self.preview_images())
        if self.config.preview_every and self.record.step % self.config.preview_every == 0:
            self.write_frame(self.record.step // self.config.preview_every)

    def show_preview(self, images: Sequence[RgbImage]) -> None:
        """Shows one image, or several as a clip."""
        if len(images) == 1:
            self.context.preview.show(images[0])
        elif images:
            self.context.preview.show_clip(images, fps=self.context.fps)

    def write_frame(self, index: int) -> None:
        """Writes the first preview image as a frame."""
        if rank() == 0 and (images := self.preview_images()):
            self.context.frames.write(index, images[0])

    def preview_images(self) -> Sequence[RgbImage]:
        """The module's preview."""
        with self.evaluation():
            return self.module.preview()

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """What `TrainingModule.validate` and `preview` are called in."""
        module = self.module
        with (
            evaluation(module.networks, device=self.context.device, ema=self.ema, generators=module.generators),
            self.autocast(),
        ):
            yield

    def autocast(self) -> torch.autocast:
        """The forward passes' precision."""
        device = torch.device(self.context.device).type
        return torch.autocast(device, torch.bfloat16, enabled=self.config.precision == "bfloat16")


def move_batch(batch: Any, device: str) -> Any:
    """The tensors of a batch on `device`; mappings, lists and tuples are searched, other values stay as they are."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {key: move_batch(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(move_batch(value, device) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(move_batch(value, device) for value in batch)
    return batch

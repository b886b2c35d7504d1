"""The toy engine and its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from videojob_runner.engine.api import Artifact, TaskContext, TaskPlan, TaskResult, config_key
from videojob_runner.media.frames import RgbImage
from videojob_runner.models.packs.reader import Pack
from videojob_runner.training.context import InitialCheckpoint
from videojob_runner.training.data.loader import BatchLoader
from videojob_runner.training.data.sampler import Draw, ResumableSampler
from videojob_runner.training.export import PackDescription, export_networks, export_training
from videojob_runner.training.module import OptimizeCallback, TrainingModule
from videojob_runner.training.trainer import Trainer, TrainerConfig

from tests.toy_engine.pipeline import ToyLine

PREVIEW_EVERY = 2


class LineEngine:
    """Fits a line, then shows it."""

    Config = ToyLine

    def tasks(self, config: ToyLine) -> Sequence[TaskPlan]:
        train = TaskPlan(
            name="train",
            run=partial(train_line, config),
            key=config_key(config, exclude=["frames"] if config.frames else []),
            weight=3,
            phase="training",
        )
        generate = TaskPlan(
            name="generate", run=partial(generate_frames, config), key=config_key(config), phase="generating"
        )
        return [train, generate] if config.frames else [train]


class Points:
    """64 points near a line, jittered by their draw."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, draw: Draw) -> Tensor:
        x = draw.index / 64
        return torch.tensor([x, 0.2 + 0.6 * x + draw.rng().normal(0, 0.05)], dtype=torch.float32)


class LineTraining(TrainingModule[Tensor]):
    """Least squares by Adam; its preview draws random numbers, which must not change the weights."""

    def __init__(self, config: ToyLine) -> None:
        self.network = nn.Linear(1, 1)
        nn.init.zeros_(self.network.weight)
        nn.init.zeros_(self.network.bias)
        self.networks = {"line": self.network}
        self.optimizers = {"line": torch.optim.Adam(self.network.parameters(), lr=config.rate)}

    def training_step(self, batch: Tensor, step: int, optimize: OptimizeCallback) -> Mapping[str, Tensor]:
        noise = 0.01 * torch.randn(len(batch), 1)
        loss = nn.functional.mse_loss(self.network(batch[:, :1]), batch[:, 1:] + noise)
        optimize("line", loss)
        return {"loss": loss}

    def preview(self) -> Sequence[RgbImage]:
        torch.rand(1)
        return [draw_line(self.network.weight.item(), self.network.bias.item())]


def train_line(config: ToyLine, context: TaskContext) -> TaskResult:
    """Publishes the packs `line` and `line-training`."""
    if config.resume:
        start = Pack.open(context.models.folder("checkpoint", default=""), kind="line-training").folder
        context = replace(context, checkpoints=InitialCheckpoint(context.checkpoints, start))
    module = LineTraining(config)
    trainer: Trainer[Tensor] = Trainer(
        config=TrainerConfig(steps=config.steps, log_every=2, preview_every=0 if config.frames else PREVIEW_EVERY),
        context=context,
        source=BatchLoader(Points(), ResumableSampler(64, batch_size=8, seed=context.seed)),
        clock=lambda: 0.0,
    )
    summary = trainer.fit(module)
    folder = context.work / "export"
    export_networks(folder / "line", module.networks, PackDescription(name="line", kind="line"), dtype=torch.float32)
    export_training(
        folder / "line-training", summary.state, PackDescription(name="line-training", kind="line-training")
    )
    publish(context, folder / "line", checkpointed=config.carried)
    publish(context, folder / "line-training", checkpointed=True)
    return TaskResult(frames=0 if config.frames else 1 + config.steps // PREVIEW_EVERY, metrics={"steps": config.steps})


def publish(context: TaskContext, folder: Path, *, checkpointed: bool) -> None:
    context.artifacts.publish(Artifact(name=folder.name, kind="pack", path=folder, checkpointed=checkpointed))


def generate_frames(config: ToyLine, context: TaskContext) -> TaskResult:
    """One frame in each step, of the trained line."""
    weights = Pack.open(context.artifacts.folder("line"), kind="line").tensors()
    saved = context.checkpoints.latest()
    first = int((saved / "done").read_text()) if saved else 0
    for index in range(first, config.frames):
        context.frames.write(index, draw_line(float(weights["line.weight"]) * index, float(weights["line.bias"])))
        context.progress(index + 1, config.frames)
        context.checkpoints.maybe_save(index + 1, partial(write_number, index + 1))
    return TaskResult(frames=config.frames)


def write_number(done: int, folder: Path) -> None:
    (folder / "done").write_text(str(done))


def draw_line(slope: float, height: float) -> RgbImage:
    """16 × 16 pixels: bright where y is above the line."""
    x = np.linspace(0, 1, 16)
    shown = np.clip((x[:, None] - slope * x[None, :] - height) * 200 + 100, 0, 255)
    return np.repeat(shown[:, :, None], 3, axis=2).astype(np.uint8)

"""What runs in several processes in `test_training_distributed`: fresh ones, which import this module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from videojob_runner.training.context import LocalTrainingContext
from videojob_runner.training.data.loader import BatchLoader
from videojob_runner.training.data.sampler import ResumableSampler
from videojob_runner.training.distributed import (
    PeerStopped,
    all_any,
    average,
    broadcast_parameters,
    process_group,
)
from videojob_runner.training.losses.gan import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)
from videojob_runner.training.module import OptimizeCallback, TrainingModule
from videojob_runner.training.state import write_tensors
from videojob_runner.training.trainer import Trainer, TrainerConfig

from tests.unit.runner.training.toy_training import BATCH, SIZE, FolderCheckpoints, Stopped, ToyData, ToyGan, weights

STEPS, STOP_AT = 12, 5


class PlainGan(TrainingModule[Tensor]):
    """A GAN whose loss is a mean over samples: no dropout, no noise, no batch statistics."""

    def __init__(self, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
            discriminator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        self.networks = {"generator": generator, "discriminator": discriminator}
        self.optimizers = {name: torch.optim.SGD(net.parameters(), lr=0.1) for name, net in self.networks.items()}

    def training_step(self, batch: Tensor, step: int, optimize: OptimizeCallback) -> Mapping[str, Tensor]:
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        fake = generator(batch)
        loss = discriminator_loss(discriminator(batch), discriminator(fake.detach()))
        optimize("discriminator", loss + gradient_penalty(discriminator, batch), clip_norm=0.5)
        optimize("generator", generator_loss(discriminator(fake)))
        return {"loss": loss}


def train_plain(folder: Path, rank: int, world_size: int) -> None:
    """Trains a `PlainGan`, from other first weights in each process, and leaves weights and means in `folder`."""
    module = PlainGan(seed=1 + rank)
    rows: dict[str, float] = {}
    context = LocalTrainingContext(log_metrics=lambda step, row: rows.update(row))
    sampler = ResumableSampler(SIZE, batch_size=BATCH, seed=3, rank=rank, world_size=world_size)
    config = TrainerConfig(steps=STEPS, log_every=STEPS, ema_decay=0.9)
    summary = Trainer(config=config, context=context, source=BatchLoader(ToyData(), sampler)).fit(module)
    tensors = weights(module, summary) | {"loss": torch.tensor(rows["loss"])}
    write_tensors(folder / f"plain-{rank}-of-{world_size}.safetensors", tensors)


def train_noisy(folder: Path, name: str, rank: int, saves: Sequence[int]) -> bool:
    """Trains a `ToyGan` with noise of its own in each process; returns whether it was stopped."""
    module = ToyGan(seed=1)
    module.generators["noise"].manual_seed(rank)
    checkpoints = FolderCheckpoints(folder / name, saves) if rank == 0 else FolderCheckpoints(folder / "nowhere")
    sampler = ResumableSampler(SIZE, batch_size=BATCH, seed=3, rank=rank, world_size=2)
    context = LocalTrainingContext(checkpoints=checkpoints, seed=5)
    config = TrainerConfig(steps=STEPS, ema_decay=0.9)
    try:
        summary = Trainer(config=config, context=context, source=BatchLoader(ToyData(), sampler)).fit(module)
    except (Stopped, PeerStopped):
        return True
    without_statistics = {n: t for n, t in weights(module, summary).items() if ".1." not in n}
    write_tensors(folder / f"{name}-{rank}.safetensors", without_statistics)
    return False


def run_process(rank: int, folder: str) -> None:
    """Everything that is tested, in one of two processes."""
    torch.set_num_threads(1)
    place = Path(folder)
    with process_group(rank=rank, world_size=2, device="cpu", init_method=f"file://{folder}/group"):
        train_plain(place, rank, 2)
        stopped = [
            train_noisy(place, "whole", rank, []),
            train_noisy(place, "parts", rank, [2, STOP_AT]),
            train_noisy(place, "parts", rank, []),
        ]
        network = nn.BatchNorm1d(3)
        nn.init.constant_(network.weight, rank + 1)
        broadcast_parameters([network])
        found = {
            "stopped": torch.tensor(stopped),
            "any": torch.tensor([all_any(rank == 1), all_any(False)]),
            "mean": average(torch.tensor([1.0 + rank, 4.0])),
            "weight": network.weight.detach(),
        }
        write_tensors(place / f"found-{rank}.safetensors", found)

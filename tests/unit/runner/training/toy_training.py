"""A small training that has everything at once: a GAN with dropout, noise, two optimizers, schedulers and averages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from videojob_runner.media.frames import RgbImage
from videojob_runner.training.context import LocalTrainingContext
from videojob_runner.training.data.loader import BatchLoader
from videojob_runner.training.data.sampler import Draw, ResumableSampler
from videojob_runner.training.losses.gan import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    interpolate_samples,
)
from videojob_runner.training.module import OptimizeCallback, TrainingModule
from videojob_runner.training.schedules import cosine_decay
from videojob_runner.training.trainer import Trainer, TrainerConfig, TrainingSummary

SIZE, BATCH = 20, 8
"""Of the data and of a batch: an epoch ends within a batch."""


class ToyData:
    """Points on a circle, jittered by their draw."""

    def __len__(self) -> int:
        return SIZE

    def __getitem__(self, draw: Draw) -> Tensor:
        angle = 2 * np.pi * draw.index / SIZE + draw.rng().normal(0, 0.01)
        return torch.tensor([np.cos(angle), np.sin(angle)], dtype=torch.float32)


class ToyGan(TrainingModule[Tensor]):
    """Generator with dropout and batch statistics; its noise comes from a generator of its own."""

    def __init__(self, *, width: int = 8, steps: int = 40, seed: int = 1) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator = nn.Sequential(
                nn.Linear(3, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, 2)
            )
            discriminator = nn.Sequential(nn.Linear(2, width), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(width, 1))
        self.networks = {"generator": generator, "discriminator": discriminator}
        self.optimizers = {
            "generator": torch.optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.9)),
            "discriminator": torch.optim.SGD(discriminator.parameters(), lr=0.05, momentum=0.9),
        }
        self.schedulers = {
            name: LambdaLR(optimizer, cosine_decay(steps, warmup=5)) for name, optimizer in self.optimizers.items()
        }
        self.generators = {"noise": torch.Generator().manual_seed(seed)}
        self.validations = 0

    def training_step(self, batch: Tensor, step: int, optimize: OptimizeCallback) -> Mapping[str, Tensor]:
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        fake = generator(torch.randn(len(batch), 3, generator=self.generators["noise"]))
        loss = discriminator_loss(discriminator(batch), discriminator(fake.detach()))
        logged = {"discriminator": loss}
        if step % 4 == 0:
            points = interpolate_samples(batch, fake, generator=self.generators["noise"])
            logged["penalty"] = gradient_penalty(discriminator, points)
            loss = loss + logged["penalty"]
        optimize("discriminator", loss)
        logged["generator"] = generator_loss(discriminator(fake))
        logged["grad_norm"] = optimize("generator", logged["generator"], clip_norm=1.0)
        return logged

    def samples(self) -> Tensor:
        """Draws from the global generator and from its own: whoever calls it must preserve both."""
        noise = torch.rand(4, 3) + torch.randn(4, 3, generator=self.generators["noise"])
        samples: Tensor = self.networks["generator"](noise)
        return samples

    def validate(self) -> Mapping[str, float]:
        self.validations += 1
        return {"radius": float(self.samples().norm(dim=1).mean())}

    def preview(self) -> Sequence[RgbImage]:
        level = float(self.samples().mean().sigmoid())
        return [np.full((4, 4, 3), round(255 * level), dtype=np.uint8)]


class Stopped(Exception):
    """What a caller raises when it wants to stop."""


@dataclass
class FolderCheckpoints:
    """Saves after the steps `save_at`, and stops after the last of them if `stop`."""

    folder: Path
    save_at: Sequence[int] = ()
    stop: bool = True

    def latest(self) -> Path | None:
        found = sorted(self.folder.glob("step-*"))
        return found[-1] if found else None

    def maybe_save(self, step: int, write: Callable[[Path], None], /) -> None:
        if step not in self.save_at:
            return
        place = self.folder / f"step-{step:06}"
        place.mkdir(parents=True)
        write(place)
        if self.stop and step == self.save_at[-1]:
            raise Stopped


@dataclass
class EagerPreview:
    """Wants a preview after every step."""

    images: list[RgbImage] = field(default_factory=list)

    def is_due(self) -> bool:
        return True

    def show(self, image: RgbImage, /) -> None:
        self.images.append(image)

    def show_clip(self, images: object, /, *, fps: float) -> None:
        raise AssertionError("the toy has no clips")


@dataclass
class KeptFrames:
    """Keeps frames by their index."""

    images: dict[int, RgbImage] = field(default_factory=dict)

    def write(self, index: int, image: RgbImage, /, *, text: Mapping[str, str] | None = None) -> None:
        self.images[index] = image


def toy_loader(*, seed: int = 3, workers: int = 0) -> BatchLoader[Tensor]:
    return BatchLoader(ToyData(), ResumableSampler(SIZE, batch_size=BATCH, seed=seed), workers=workers)


def train_toy(
    module: TrainingModule[Tensor],
    *,
    context: LocalTrainingContext | None = None,
    config: TrainerConfig | None = None,
    workers: int = 0,
) -> TrainingSummary:
    config = config or TrainerConfig(steps=40, log_every=7, ema_decay=0.9)
    trainer = Trainer(
        config=config, context=context or LocalTrainingContext(seed=5), source=toy_loader(workers=workers)
    )
    return trainer.fit(module)


def weights(module: TrainingModule[Tensor], summary: TrainingSummary | None = None) -> dict[str, Tensor]:
    """All weights and averages."""
    found = {f"{n}.{k}": t.clone() for n, net in module.networks.items() for k, t in net.state_dict().items()}
    averages = summary.ema.state_dict() if summary and summary.ema else {}
    return found | {f"ema.{name}": tensor.clone() for name, tensor in averages.items()}


def differences(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors that are not equal bit for bit."""
    return [name for name in one.keys() | other.keys() if not torch.equal(one[name], other[name])]

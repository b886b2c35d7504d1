"""
Training of the first stage: one run, bounded by steps.

A tenth of the run is an auto-encoder with noise on its latent; then the codebook starts from k-means of real
encodings and the rest trains quantised. Codebook rows that fall out of use are re-seeded from the current batch
until the last fifth, so that nearly all stay alive. No adversarial and no perceptual part: on flat shapes pixel and
edge losses suffice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor
from videojob_runner.training.schedules import cosine_decay

from packs.shapes.dataset import ShapesDataset
from packs.shapes.first_stage import FirstStage
from packs.shapes.precision import bf16_autocast
from packs.shapes.progress import StepCallback


@dataclass(frozen=True, slots=True)
class VqganTrainingConfig:
    """Length and rates of a run."""

    steps: int = 1400
    batch: int = 16
    rate: float = 1e-3
    codebook_rate: float = 2e-3
    warm_up: int = 50
    reseed_every: int = 40
    founding_batches: int = 8
    """Batches of 32 crops whose encodings found the codebook."""
    seed: int = 0

    @property
    def quantised_from(self) -> int:
        """First step with a codebook."""
        return max(self.steps // 10, 1)


def random_crops(pictures: ShapesDataset, count: int, rng: np.random.Generator) -> Tensor:
    """Training inputs ``[count, 3, 64, 64]`` in −1…1: 60 % whole pictures, 40 % square crops, half of them mirrored."""
    result = []
    for index in rng.integers(len(pictures.images), size=count):
        image = torch.from_numpy(np.array(pictures.images[index])).permute(2, 0, 1)[None].float()
        if rng.random() < 0.4:
            side = int(rng.integers(40, 97))
            y, x = rng.integers(0, 97 - side, size=2)
            image = image[..., y : y + side, x : x + side]
        image = nnf.interpolate(image, size=64, mode="bilinear", antialias=True, align_corners=False)
        result.append(image.flip(-1) if rng.random() < 0.5 else image)
    return torch.cat(result) / 127.5 - 1


def reconstruction_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """L1 + L2 + half the L1 of the horizontal and vertical differences."""
    edges = sum((made.diff(dim=d) - wanted.diff(dim=d)).abs().mean() for d in (2, 3))
    return (made - wanted).abs().mean() + (made - wanted).square().mean() + 0.5 * edges


def kmeans(points: Tensor, *, centres: int, rounds: int, rng: torch.Generator) -> Tensor:
    """k-means of ``[n, D]`` points; a centre without points moves to a random point."""
    book = points[torch.randperm(len(points), generator=rng)[:centres]].clone()
    for _ in range(rounds):
        nearest = (book.square().sum(1) - 2 * points @ book.t()).argmin(1)
        total = torch.zeros_like(book).index_add_(0, nearest, points)
        size = torch.bincount(nearest, minlength=centres)[:, None]
        spare = points[torch.randint(len(points), (centres,), generator=rng)]
        book = torch.where(size > 0, total / size.clamp(min=1), spare)
    return book


class VqganTrainer:
    """One run of the plan; holds the model, the optimiser and the use of every code since the last check."""

    def __init__(self, plan: VqganTrainingConfig, pictures: ShapesDataset) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.pictures, self.model = plan, pictures, FirstStage()
        self.rng = np.random.default_rng(plan.seed + 1)
        self.torch_rng = torch.Generator().manual_seed(plan.seed + 2)
        book = self.model.codebook
        others = [p for p in self.model.parameters() if p is not book]
        groups = [{"params": others, "lr": plan.rate}, {"params": [book], "lr": plan.codebook_rate}]
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
        factor = cosine_decay(plan.steps, warmup=plan.warm_up, floor=0.03)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, factor)
        self.used = torch.zeros(len(book), dtype=torch.bool)

    def step(self, number: int) -> float:
        """One optimiser step; returns the reconstruction loss."""
        plan, images = self.plan, random_crops(self.pictures, self.plan.batch, self.rng)
        quantised = number >= plan.quantised_from
        if number == plan.quantised_from:
            self.init_codebook()
        with bf16_autocast():
            latents = self.model.encode(images)
        latents = latents.float()
        if quantised:
            snapped, penalty, (_, _, codes) = self.model.quantize(latents)
            self.used[codes.flatten()] = True
            penalty = 0.25 * penalty
        else:
            snapped = latents + 0.1 * torch.randn(latents.shape, generator=self.torch_rng)
            penalty = 1e-3 * latents.square().mean()
        with bf16_autocast():
            made = self.model.decode(snapped)
        loss = reconstruction_loss(made.float(), images)
        self.optimiser.zero_grad(set_to_none=True)
        (loss + penalty).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        if quantised and number % plan.reseed_every == 0 and number < 0.8 * plan.steps:
            self.reseed_dead_codes(latents.detach())
        return float(loss.detach())

    @torch.no_grad()
    def init_codebook(self) -> None:
        """Sets the codebook to the k-means of real encodings."""
        batches = [
            self.model.encode(random_crops(self.pictures, 32, self.rng)) for _ in range(self.plan.founding_batches)
        ]
        points = torch.cat(batches).permute(0, 2, 3, 1).reshape(-1, self.model.codebook.shape[1])
        self.model.codebook.copy_(kmeans(points, centres=len(self.used), rounds=25, rng=self.torch_rng))

    @torch.no_grad()
    def reseed_dead_codes(self, latents: Tensor) -> None:
        """Moves unused codes onto random encodings of the batch and forgets their moments."""
        dead = ~self.used
        points = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
        pick = torch.randint(len(points), (int(dead.sum()),), generator=self.torch_rng)
        self.model.codebook[dead] = points[pick]
        state = self.optimiser.state.get(self.model.codebook, {})
        for name in ("exp_avg", "exp_avg_sq"):
            if name in state:
                state[name][dead] = 0
        self.used.zero_()


def train(plan: VqganTrainingConfig, pictures: ShapesDataset, report: StepCallback) -> FirstStage:
    """The trained first stage in evaluation mode."""
    trainer = VqganTrainer(plan, pictures)
    for number in range(plan.steps):
        report(number, trainer.step(number))
    return trainer.model.eval()


def psnr(model: FirstStage, images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    """Mean PSNR in dB of the reconstructions of uint8 ``[n, H, W, 3]`` pictures at 64×64, peak 1."""
    values = []
    for start in range(0, len(images), 32):
        batch = torch.from_numpy(np.array(images[start : start + 32])).permute(0, 3, 1, 2).float()
        wanted = nnf.interpolate(batch, size=64, mode="bilinear", antialias=True, align_corners=False) / 127.5 - 1
        error = (model.reconstruct(wanted) - wanted).square().mean((1, 2, 3)) / 4
        values.append(-10 * error.log10())
    return float(torch.cat(values).mean())

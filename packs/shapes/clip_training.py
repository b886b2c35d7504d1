"""
Training of the CLIP in stages: learn the words on easy scenes first, then become hard to fool.

`learn` starts from nothing with plain, single, not small objects and mixes the rest in, and gets the colours;
`distinguish` starts with easy objects again and leaves the plateau on which every tower stands before it tells shapes
apart. `harden`, `ground` and `settle` then train only on pictures moved by one adversarial step, beside
VQGAN reconstructions and negatives of the present CLIP's own making. An accurate but soft CLIP retrieves 94 % and
steers 4 %; these stages are what makes it steer. `recover` shows it scenes half hidden by what it falls for, so that
it leads out of the colourful patches that guidance begins with. Weights are averaged, and the average is what a
stage leaves.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import torch
import torch.nn.functional as nnf
from clip.model import CLIP
from numpy.typing import NDArray
from torch import Tensor
from videojob_runner.training.schedules import cosine_decay

from packs.shapes import captions, clip_model, negatives
from packs.shapes.augment import TRAINING, augment
from packs.shapes.dataset import ShapesDataset
from packs.shapes.precision import bf16_autocast
from packs.shapes.progress import StepCallback


@dataclass(frozen=True, slots=True)
class StageConfig:
    """One stage; shares are of the batch, `epsilon` is an L2 length over 64×64×3 values in 0…1."""

    name: str
    steps: int
    rate: float
    seed: int
    batch: int = 96
    attributes: float = 1.0
    """Weight of the attribute heads."""
    easy_until: float = 0.0
    mixed_until: float = 0.0
    ramp_until: float = 0.0
    epsilon: float = 0.0
    epsilon_ramp: float = 0.0
    blend_share: float = 0.0
    """Of the drawn pictures: how many are mixed with what the present CLIP falls for, and keep their captions."""
    bank_share: float = 0.0
    scrambled_share: float = 0.0
    policy_share: float = 0.0
    policy_every: int = 0
    policy_rates: tuple[float, ...] = (0.1, 0.2, 0.33)
    policy_steps: tuple[int, int] = (24, 30)

    def easy_share(self, done: float) -> float:
        """Share of easy pictures when `done` (0…1) of the stage is over."""
        if done < self.easy_until:
            return 1.0
        return max(0.0, 1 - (done - self.easy_until) / max(self.mixed_until - self.easy_until, 1e-9))

    def strength(self, done: float) -> float:
        """Strength of the views, from a quarter up to all."""
        return 1.0 if self.ramp_until == 0 else min(1.0, 0.25 + 0.75 * done / self.ramp_until)

    def adversarial_epsilon(self, done: float) -> float:
        """Length of the adversarial step."""
        return self.epsilon * (1.0 if self.epsilon_ramp == 0 else min(1.0, done / self.epsilon_ramp))


PRETRAIN: Final = StageConfig("learn", 1200, 2e-3, 1, easy_until=0.3, mixed_until=0.6, ramp_until=0.6)
SHAPE_CURRICULUM: Final = StageConfig(
    "distinguish", 1000, 1.5e-3, 6, attributes=2.0, easy_until=0.4, mixed_until=0.75, ramp_until=0.6
)
ADVERSARIAL: Final = StageConfig(
    "harden",
    500,
    1e-3,
    2,
    epsilon=3.0,
    epsilon_ramp=0.2,
    bank_share=1 / 4,
    scrambled_share=1 / 12,
    policy_share=1 / 6,
    policy_every=80,
    policy_rates=(0.053, 0.1),
)
ON_POLICY: Final = StageConfig(
    "ground",
    1400,
    1.2e-3,
    3,
    epsilon=3.0,
    bank_share=1 / 4,
    scrambled_share=1 / 12,
    policy_share=1 / 6,
    policy_every=80,
)
FINETUNE: Final = StageConfig(
    "settle",
    700,
    1e-3,
    4,
    epsilon=3.5,
    bank_share=1 / 4,
    scrambled_share=1 / 12,
    policy_share=1 / 12,
    policy_every=60,
)
OCCLUSION: Final = replace(
    FINETUNE,
    name="recover",
    steps=800,
    seed=5,
    blend_share=1 / 2,
    policy_rates=(0.2, 0.4, 0.6),
    policy_steps=(12, 40),
)
STAGES: Final = (PRETRAIN, SHAPE_CURRICULUM, ADVERSARIAL, ON_POLICY, FINETUNE, OCCLUSION)

MAX_BLEND: Final = 0.65
"""The largest part that hides a scene; of what is left its caption is still true."""


@dataclass(frozen=True, slots=True)
class NegativeSources:
    """What the later stages need beside the pictures."""

    bank: dict[str, Tensor]
    policy: negatives.OnPolicyPool


@dataclass(frozen=True, slots=True)
class Batch:
    """Views ``[n, 3, 64, 64]``, their rows, captions as tokens and the match matrix ``[captions, n]``."""

    images: Tensor
    rows: Tensor
    tokens: Tensor
    matches: Tensor


@dataclass
class ClipTrainer:
    """One stage: the raw model in training, its running average, the attribute heads and the random streams."""

    plan: StageConfig
    pictures: ShapesDataset
    extras: NegativeSources | None = None
    net: CLIP = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(self.plan.seed)
        self.net, self.heads = clip_model.build_clip(), clip_model.AttributeHeads()
        self.draws = np.random.default_rng(self.plan.seed + 11)
        self.views = torch.Generator().manual_seed(self.plan.seed + 12)
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        parameters = [*self.net.parameters(), *self.heads.parameters()]
        self.optimiser = torch.optim.AdamW(parameters, lr=self.plan.rate, betas=(0.9, 0.98), weight_decay=0.02)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, cosine_decay(self.plan.steps, warmup=60, floor=0.02)
        )
        self.easy = self.pictures.easy_indices()

    def start_from(self, state: dict[str, Tensor]) -> None:
        """Continues from the tensors that another stage left."""
        for target, prefix in ((self.net, "clip."), (self.average, "clip."), (self.heads, "aux.")):
            target.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})

    def state(self) -> dict[str, Tensor]:
        """The averaged model and the heads, for the next stage and for export."""
        found = {f"clip.{name}": tensor for name, tensor in self.average.state_dict().items()}
        return found | {f"aux.{name}": tensor for name, tensor in self.heads.state_dict().items()}

    def draw_real(self, count: int, done: float) -> tuple[Tensor, NDArray[np.int8]]:
        """Training pictures in 0…1 ``[count, 3, 96, 96]`` and their rows, easy ones first."""
        anywhere = self.draws.integers(len(self.pictures.images), size=count)
        easy = self.easy[self.draws.integers(len(self.easy), size=count)]
        pick = np.where(self.draws.random(count) < self.plan.easy_share(done), easy, anywhere)
        images = torch.from_numpy(self.pictures.images[pick]).permute(0, 3, 1, 2).float() / 255
        return images, self.pictures.rows[pick]

    def draw_generated(self) -> tuple[Tensor, NDArray[np.int8]]:
        """Pictures of the VQGAN's making for this batch, ``[n, 3, 64, 64]``, and their rows."""
        if self.extras is None:
            return torch.empty(0, 3, 64, 64), negatives.empty_rows(0)
        bank, plan = self.extras.bank, self.plan
        known = self.draws.integers(len(bank["images"]), size=round(plan.batch * plan.bank_share))
        noise = self.draws.integers(len(bank["scrambled"]), size=round(plan.batch * plan.scrambled_share))
        fooling = self.extras.policy.draw(round(plan.batch * plan.policy_share))
        images = torch.cat([bank["images"][known].float() / 255, bank["scrambled"][noise].float() / 255, fooling])
        return images, np.concatenate([bank["rows"].numpy()[known], negatives.empty_rows(len(noise) + len(fooling))])

    def blend_negatives(self, views: Tensor) -> Tensor:
        """Some of the views ``[n, 3, 64, 64]`` mixed with up to `MAX_BLEND` of a picture that fools."""
        if self.extras is None or not self.plan.blend_share:
            return views
        fooling = self.extras.policy.draw(round(len(views) * self.plan.blend_share))
        n = len(fooling)
        share = MAX_BLEND * torch.rand(n, 1, 1, 1, generator=self.views)
        return torch.cat([views[:n].lerp(fooling, share), views[n:]])

    def batch(self, done: float) -> Batch:
        """The next batch, with fresh captions for every picture that has any."""
        made, made_rows = self.draw_generated()
        real, real_rows = self.draw_real(self.plan.batch - len(made), done)
        strength = self.plan.strength(done)
        parts = [augment(part, TRAINING, strength=strength, rng=self.views) for part in (real, made) if len(part)]
        parts[0] = self.blend_negatives(parts[0])
        rows = np.concatenate([real_rows, made_rows])
        told = [captions.draw_caption(row, self.draws) for row in rows if row[5] >= 0]
        ids = [captions.add_filler(captions.tokenize(text), self.draws) for text, _ in told]
        matches = captions.match_matrix(np.stack([mention for _, mention in told]), rows)
        return Batch(
            torch.cat(parts), torch.from_numpy(rows).long(), captions.pad_batch(ids), torch.from_numpy(matches)
        )

    def loss(self, images: Tensor, batch: Batch, texts: Tensor) -> Tensor:
        """Contrastive loss plus that of the attribute heads."""
        with bf16_autocast():
            seen = clip_model.image_embeddings(self.net, images)
        scale = clip_model.logit_scale(self.net)
        contrast = clip_model.contrastive_loss(seen, texts, matches=batch.matches, scale=scale)
        return contrast + self.plan.attributes * self.heads.loss(seen, batch.rows)

    def adversarial_step(self, batch: Batch, texts: Tensor, epsilon: float) -> Tensor:
        """The batch's views after one step uphill, at most `epsilon` away; every second gradient is low-passed."""
        n = len(batch.images)
        start = torch.randn(batch.images.shape, generator=self.views)
        start = start * (0.5 * epsilon / start.flatten(1).norm(dim=1)).view(n, 1, 1, 1)
        images = (batch.images + start).requires_grad_(True)
        (uphill,) = torch.autograd.grad(self.loss(images, batch, texts.detach()), images)
        smooth = nnf.interpolate(nnf.avg_pool2d(uphill, 4), scale_factor=4, mode="bilinear", align_corners=False)
        uphill = torch.where(torch.arange(n).view(n, 1, 1, 1) % 2 == 0, uphill, smooth)
        length = epsilon * (0.25 + 0.75 * torch.rand(n, generator=self.views))
        delta = start + uphill * (length / uphill.flatten(1).norm(dim=1).clamp(min=1e-12)).view(n, 1, 1, 1)
        shrink = (epsilon / delta.flatten(1).norm(dim=1).clamp(min=1e-12)).clamp(max=1)
        pushed: Tensor = batch.images + delta * shrink.view(n, 1, 1, 1)
        return pushed

    def step(self, number: int) -> float:
        """One optimiser step; returns the loss."""
        done = number / self.plan.steps
        if self.extras and self.plan.policy_every and number % self.plan.policy_every == 0:
            self.extras.policy.add_round(self.average)
        batch, epsilon = self.batch(done), self.plan.adversarial_epsilon(done)
        self.net.train()
        with bf16_autocast():
            texts = clip_model.text_embeddings(self.net, batch.tokens)
        images = self.adversarial_step(batch, texts, epsilon) if epsilon > 0 else batch.images
        loss = self.loss(images, batch, texts)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self.update_ema(min(0.995, (number + 1) / (number + 10)))
        return float(loss.detach())

    @torch.no_grad()
    def update_ema(self, decay: float) -> None:
        """Moves the average toward the raw model, running statistics included."""
        for kept, new in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)


def fit_heads(trainer: ClipTrainer, steps: int) -> None:
    """Trains only the attribute heads, on the network as it is: exported packs have forgotten theirs."""
    optimiser = torch.optim.AdamW(trainer.heads.parameters(), lr=5e-3)
    for _ in range(steps):
        batch = trainer.batch(1.0)
        with torch.no_grad(), bf16_autocast():
            seen = clip_model.image_embeddings(trainer.average, batch.images)
        loss = trainer.heads.loss(seen, batch.rows)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()


def train(trainer: ClipTrainer, report: StepCallback) -> dict[str, Tensor]:
    """The stage's tensors after all its steps."""
    for number in range(trainer.plan.steps):
        report(number, trainer.step(number))
    return trainer.state()

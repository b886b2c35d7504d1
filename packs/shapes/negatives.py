"""
Pictures made by the VQGAN itself, for a CLIP that must not be fooled by it.

The bank is made once: reconstructions of training pictures, which keep their captions, and decodes of random or
mixed-up tokens, which no caption fits. The on-policy pool is made while CLIP trains: a few pictures steered for a
few steps under the present CLIP, full of whatever it falls for; no caption fits them either.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as nnf
from clip.model import CLIP
from numpy.typing import NDArray
from torch import Tensor

from packs.shapes import guidance
from packs.shapes import vocabulary as words
from packs.shapes.captions import draw_caption, pad_batch, tokenize
from packs.shapes.clip_model import text_embeddings
from packs.shapes.dataset import ShapesDataset
from packs.shapes.first_stage import FirstStage
from packs.shapes.precision import bf16_autocast

ROUNDS_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class BankPlan:
    """Sizes of the bank."""

    reconstructions: int = 3072
    scrambled: int = 1024
    seed: int = 5


def downsample(images: NDArray[np.uint8]) -> Tensor:
    """Pictures uint8 ``[n, H, W, 3]`` as float ``[n, 3, 64, 64]`` in 0…1."""
    batch = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255
    return nnf.interpolate(batch, size=64, mode="bilinear", antialias=True, align_corners=False)


def to_uint8(images: Tensor) -> Tensor:
    """Pictures in 0…1 as uint8."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)


def scramble_tokens(first_stage: FirstStage, codes: Tensor, rng: torch.Generator) -> Tensor:
    """Token grids like `codes` that show nothing: all random, mixed with random ones, or shuffled."""
    n, h, w = codes.shape
    random = torch.randint(len(first_stage.codebook), codes.shape, generator=rng)
    share = torch.rand(n, 1, 1, generator=rng) * 0.65 + 0.35
    mixed = torch.where(torch.rand(codes.shape, generator=rng) < share, random, codes)
    shuffled = torch.stack([grid.flatten()[torch.randperm(h * w, generator=rng)].view(h, w) for grid in codes])
    kind = torch.randint(3, (n, 1, 1), generator=rng)
    return torch.where(kind == 0, random, torch.where(kind == 1, mixed, shuffled))


@torch.no_grad()
def make_bank(plan: BankPlan, first_stage: FirstStage, pictures: ShapesDataset) -> dict[str, Tensor]:
    """`images` and `rows` of the reconstructions and `scramble_tokens` pictures, uint8 ``[n, 3, 64, 64]``."""
    rng, draws = torch.Generator().manual_seed(plan.seed), np.random.default_rng(plan.seed)
    pick = np.sort(
        draws.choice(
            pictures.labelled_indices(), min(plan.reconstructions, len(pictures.labelled_indices())), replace=False
        )
    )
    made: list[Tensor] = []
    broken: list[Tensor] = []
    for start in range(0, len(pick), 64):
        with bf16_autocast():
            codes = first_stage.indices(
                first_stage.encode(downsample(pictures.images[pick[start : start + 64]]) * 2 - 1)
            )
            made.append(to_uint8((first_stage.decode(first_stage.embed(codes)).float() + 1) / 2))
            if len(broken) * 64 < plan.scrambled:
                grids = scramble_tokens(first_stage, codes, rng)
                broken.append(to_uint8((first_stage.decode(first_stage.embed(grids)).float() + 1) / 2))
    rows = torch.from_numpy(pictures.rows[pick].copy())
    return {"images": torch.cat(made), "rows": rows, "scrambled": torch.cat(broken)[: plan.scrambled]}


class OnPolicyPool:
    """A pool of pictures that the present CLIP has steered, the last sixteen rounds of twelve prompts."""

    def __init__(
        self,
        first_stage: FirstStage,
        pictures: ShapesDataset,
        *,
        rates: tuple[float, ...],
        steps: tuple[int, int] = (24, 30),
        seed: int,
    ) -> None:
        self.first_stage, self.pictures, self.rates, self.steps = first_stage, pictures, rates, steps
        self.rng, self.draws = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
        self.pool: deque[Tensor] = deque(maxlen=ROUNDS_KEPT)

    def initial_latents(self) -> Tensor:
        """Twelve latents: six real pictures, two mid-gray as guidance starts, two ramps, two of random tokens."""
        pick = self.draws.integers(len(self.pictures.images), size=6)
        ends = torch.from_numpy(self.draws.uniform(0, 1, (4, 3, 2, 1, 1))).float()
        ends[:2] = 0.5
        ramp = torch.linspace(0, 1, 64).view(1, 1, 64, 1).expand(4, 1, 64, 64)
        flat = ends[:, :, 0] * ramp + ends[:, :, 1] * (1 - ramp)
        with torch.no_grad():
            codes = self.first_stage.indices(
                self.first_stage.encode(torch.cat([downsample(self.pictures.images[pick]), flat]) * 2 - 1)
            )
            random = torch.randint(len(self.first_stage.codebook), (2, *codes.shape[1:]), generator=self.rng)
            return self.first_stage.embed(torch.cat([codes, random]))

    def add_round(self, clip_model: CLIP) -> None:
        """Steers twelve pictures under `clip_model` (in evaluation mode) and adds three looks at each to the pool."""
        pick = self.draws.choice(self.pictures.labelled_indices(), 12)
        captions = [tokenize(draw_caption(self.pictures.rows[index], self.draws)[0]) for index in pick]
        steps = int(self.draws.integers(*self.steps, endpoint=True))
        rate = float(self.draws.choice(self.rates))
        plan = guidance.GuidanceConfig(steps=steps, rate=rate, final_rate=rate, cuts=2)
        with torch.no_grad():
            texts = text_embeddings(clip_model, pad_batch(captions))
        models = (self.first_stage, clip_model)
        seen = guidance.guide(
            models, texts, self.initial_latents(), plan=plan, rng=self.rng, keep=(steps // 3, 2 * steps // 3)
        )
        self.pool.append(to_uint8(torch.cat(seen)))

    def draw(self, count: int) -> Tensor:
        """`count` pictures of the pool as float in 0…1; fewer when the pool is still empty."""
        if not self.pool:
            return torch.empty(0, 3, 64, 64)
        every = torch.cat(list(self.pool))
        return every[torch.randint(len(every), (count,), generator=self.rng)].float() / 255


def empty_rows(count: int) -> NDArray[np.int8]:
    """Rows that no caption matches."""
    return np.full((count, words.ATTRIBUTES), words.NO_CAPTION, np.int8)

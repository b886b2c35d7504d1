"""
Many prompts guided at once with the runner's own engine.

The engine steers one latent. Here one batch of latents goes through its quantiser, decoder, cutouts, perceptor, loss
and optimiser; losses are summed and Adam is element-wise, so every latent moves as it would alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions, Cutouts
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.latent.optimizer import LatentOptimizer
from videojob_runner.engines.vqgan_clip.losses.prompts import PromptTargets, prompt_loss
from videojob_runner.engines.vqgan_clip.pack_defaults import GeneratorDefaults, PerceptorDefaults, read_defaults
from videojob_runner.engines.vqgan_clip.prompts.grammar import parse
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.models.vqgan.quantize import quantize
from videojob_runner.torch_utils.precision import has_native_bfloat16
from videojob_runner.torch_utils.random_streams import RandomStreams

BUILTIN = Path(__file__).resolve().parents[2] / "runner" / "videojob_runner" / "models" / "builtin"
Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchGuidance(Guidance):
    """Guidance of a batch: `[B, 3, H, W]` pictures against B targets."""

    goals: Sequence[PromptTargets]

    def losses(self, picture: Tensor, targets: PromptTargets, randomness: RandomStreams) -> tuple[Tensor, Tensor]:
        """
        The sum of the losses of all pictures, and each one's; `text_targets` is not looked at, all have their own.
        """
        views = torch.cat([self.cutouts.crop(one[None], randomness.host) for one in picture])
        if self.cutouts.augmenter is not None:  # one call for all pictures
            views = self.cutouts.augmenter(views, randomness)
        embeddings = self.encode_views(views).view(len(picture), self.cutouts.options.count, -1)
        each = torch.stack([prompt_loss(e, goal) for e, goal in zip(embeddings, self.goals, strict=True)])
        return each.sum(), each.detach()


@dataclass(frozen=True, slots=True)
class LoadedPacks:
    """Both packs, loaded by the runner's loader for `precision`, and their defaults."""

    generator: Vqgan
    perceptor: Clip
    rates: GeneratorDefaults
    views: PerceptorDefaults
    precision: torch.dtype

    @classmethod
    def load(cls, folder: Path = BUILTIN, *, precision: torch.dtype | None = None) -> LoadedPacks:
        """
        The packs `shapes-vqgan` and `shapes-clip` of a folder; absent, `precision` is bfloat16 on a CPU that computes
        it, for which it takes two thirds of float32's time.
        """
        precision = precision or (torch.bfloat16 if has_native_bfloat16("cpu") else torch.float32)
        drawing, seeing = (
            Pack.open(folder / "shapes-vqgan", kind="vqgan"),
            Pack.open(folder / "shapes-clip", kind="clip"),
        )
        rates, views = read_defaults(drawing, GeneratorDefaults), read_defaults(seeing, PerceptorDefaults)
        generator, perceptor = Vqgan.load(drawing, precision=precision), Clip.load(seeing, precision=precision)
        return cls(generator, perceptor, rates, views, precision)

    def with_blank_perceptor(self) -> LoadedPacks:
        """The same with a CLIP that has learnt nothing: a control."""
        torch.manual_seed(0)
        blank = Clip.load(Pack.open(BUILTIN / "shapes-clip", kind="clip"), precision=self.precision)
        for parameter in blank.network.parameters():
            parameter.copy_(torch.randn(parameter.shape) * parameter.float().std(unbiased=False))
        return replace(self, perceptor=blank)

    def gray(self, count: int, side: int = 64) -> Tensor:
        """The start that shows nothing, `count` times."""
        with torch.no_grad():
            latent = self.generator.encode(torch.zeros(1, 3, side, side))
            return quantize(latent, self.generator.codebook).repeat(count, 1, 1, 1)

    @torch.no_grad()
    def reconstruct(self, pictures: Pictures) -> Pictures:
        """Pictures ``[n, H, W, 3]`` once through the generator and back: all that it can show of them."""
        batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        codes = quantize(self.generator.encode(batch), self.generator.codebook)
        return as_bytes((self.generator.decode(codes) + 1) / 2)

    def generate(self, prompts: Sequence[str], *, iterations: int, seed: int) -> Pictures:
        """One 64×64 picture uint8 ``[n, 64, 64, 3]`` per prompt, from a gray start; no iterations show the start."""
        options = CutoutOptions(count=self.views.cuts, augmentation=self.views.augmentation)
        cutouts = Cutouts(options, target=self.perceptor.input_size)
        plain = Guidance(generator=self.generator, perceptor=self.perceptor, cutouts=cutouts, precision=self.precision)
        goals = [plain.text_targets(parse(prompt)[0]) for prompt in prompts]
        batch = BatchGuidance(**{each.name: getattr(plain, each.name) for each in fields(Guidance)}, goals=goals)
        latent, randomness = (
            LatentOptimizer(self.gray(len(prompts)), self.generator.codebook),
            RandomStreams.from_seed(seed),
        )
        first = self.rates.learning_rate
        last = self.rates.learning_rate_final or first
        for i in range(iterations):
            rate = first + (last - first) * i / max(iterations - 1, 1)
            latent.step(batch, goals[0], rate=rate, randomness=randomness)
        return as_bytes(batch.render(latent.z))


def as_bytes(pictures: Tensor) -> Pictures:
    """``[n, 3, H, W]`` in 0…1 as uint8 ``[n, H, W, 3]``."""
    return np.asarray((pictures.clamp(0, 1) * 255).permute(0, 2, 3, 1).to(torch.uint8).numpy())

"""
Steering of latents toward captions, many prompts at once: what the runner's engine does, small enough to train with.

Every prompt has its own latent; views of all pictures go through CLIP together and the losses are summed, and since
Adam is element-wise each latent moves as if it were alone. Rates are given in standard deviations of the codebook,
so they fit any codebook.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from clip.model import CLIP
from torch import Tensor
from videojob_runner.torch_utils.clamp import clamp_with_gradient

from packs.shapes.augment import GUIDANCE, augment
from packs.shapes.clip_model import image_embeddings
from packs.shapes.first_stage import FirstStage
from packs.shapes.precision import bf16_autocast


@dataclass(frozen=True, slots=True)
class GuidanceConfig:
    """Length, rates and views of one guided run."""

    steps: int = 150
    rate: float = 0.4
    final_rate: float = 0.04
    cuts: int = 8
    half_precision: bool = True


def spherical_distance(images: Tensor, texts: Tensor) -> Tensor:
    """Half the squared angle between unit vectors, row by row."""
    angle: Tensor = 2 * ((images - texts).norm(dim=1) / 2).clamp(max=1 - 1e-6).arcsin()
    return angle.square() / 2


def decode(first_stage: FirstStage, latents: Tensor) -> Tensor:
    """The pictures ``[n, 3, H, W]`` in 0…1 of latents, differentiable."""
    decoded = first_stage.decode(first_stage.quantize_st(latents)).float()
    return clamp_with_gradient((decoded + 1) / 2)


def guide(
    models: tuple[FirstStage, CLIP],
    texts: Tensor,
    latents: Tensor,
    *,
    plan: GuidanceConfig,
    rng: torch.Generator,
    keep: Collection[int] = (),
    weight: float = 1.0,
) -> list[Tensor]:
    """
    Pictures ``[n, 3, H, W]`` at the steps in `keep` (seen before that step) and, last, at the end.

    `texts` ``[n, D]`` are unit vectors, one per latent; a negative `weight` steers away.
    """
    first_stage, clip_model = models
    z = latents.clone().requires_grad_(True)
    low, high = (bound.view(1, -1, 1, 1) for bound in (first_stage.codebook.amin(0), first_stage.codebook.amax(0)))
    unit = float(first_stage.codebook.std())
    optimiser = torch.optim.Adam([z])
    targets, kept = texts.repeat_interleave(plan.cuts, 0), []
    for step in range(plan.steps):
        done = step / max(plan.steps - 1, 1)
        optimiser.param_groups[0]["lr"] = unit * (plan.rate + done * (plan.final_rate - plan.rate))
        with bf16_autocast(wanted=plan.half_precision):
            made = decode(first_stage, z)
            views = augment(made.repeat_interleave(plan.cuts, 0), GUIDANCE, rng=rng)
            seen = image_embeddings(clip_model, views)
        loss = weight * spherical_distance(seen, targets).sum() / plan.cuts
        (z.grad,) = torch.autograd.grad(loss, z)
        optimiser.step()
        with torch.no_grad():
            z.copy_(torch.maximum(torch.minimum(z, high), low))
        if step in keep:
            kept.append(made.detach())
    with torch.no_grad():
        return [*kept, decode(first_stage, z)]

"""
Prompt loss: distance between the embeddings of the cutouts and of the prompts.

The distance of two embeddings is half the squared angle between them (specification vqgan-clip §2.10). The angle is
computed as 2·atan2(‖e − t‖, ‖e + t‖) for unit vectors: equal to the textbook 2·arcsin(‖e − t‖/2), but with a finite
gradient at opposite vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor


@dataclass(frozen=True, slots=True)
class PromptTargets:
    """The prompts of one phrase as CLIP sees them, ready for the loss."""

    embeddings: Tensor
    """``[m, D]``, any length."""
    weights: Tensor
    """``[m]``; negative ones repel."""
    stops: Tensor
    """``[m]``; −∞ never stops."""
    labels: Sequence[str] = ()
    """What each is called where losses are written down, ``[m]``; the many embeddings of a picture share one."""


def spherical_distance(e: Tensor, t: Tensor) -> Tensor:
    """Half the squared angle between each row of ``[n, D]`` and each of ``[m, D]``, as ``[n, m]``, in 0…π²/2."""
    e, t = nnf.normalize(e, dim=-1)[:, None], nnf.normalize(t, dim=-1)[None]
    angle = 2 * torch.atan2((e - t).norm(dim=-1), (e + t).norm(dim=-1))
    return angle.square() / 2


def prompt_losses(embeddings: Tensor, targets: PromptTargets) -> Tensor:
    """
    For each prompt |weight| · mean over the cutouts of sign(weight) · distance, ``[m]``.

    `embeddings` is ``[n, D]``. Stops do not change the value: an entry below its prompt's stop only gets no gradient
    (half of it at equality). Weights are not normalised.
    """
    signed = spherical_distance(embeddings, targets.embeddings) * targets.weights.sign()
    gate = torch.maximum(signed, targets.stops)
    held = signed.detach() + (gate - gate.detach())  # the value of `signed`, the gradient of `gate`
    return held.mean(0) * targets.weights.abs()


def prompt_loss(embeddings: Tensor, targets: PromptTargets) -> Tensor:
    """The sum of the prompts' losses, a scalar."""
    return prompt_losses(embeddings, targets).sum()

"""
Losses of generative adversarial networks, on logits of any shape, computed in float32.

Each is a mean over all logits. Of several discriminators or scales, add the losses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as nnf
from torch import Tensor

GanKind = Literal["nonsaturating", "hinge", "lsgan"]
"""
`nonsaturating`: arXiv 1406.2661 §3, at chance 2 ln 2 and ln 2; `hinge`: arXiv 1705.02894; `lsgan`: arXiv 1611.04076
with targets 0 and 1, where each loss is a mean square without the factor ½.
"""


def discriminator_loss(real: Tensor, fake: Tensor, *, kind: GanKind = "nonsaturating") -> Tensor:
    """The loss of logits of real samples and of generated ones, which should be detached: a scalar."""
    return real_loss(real, kind=kind) + fake_loss(fake, kind=kind)


def real_loss(logits: Tensor, *, kind: GanKind = "nonsaturating") -> Tensor:
    """The discriminator's loss of samples that it should call real."""
    logits = logits.float()
    if kind == "hinge":
        return nnf.relu(1 - logits).mean()
    return (logits - 1).square().mean() if kind == "lsgan" else nnf.softplus(-logits).mean()


def fake_loss(logits: Tensor, *, kind: GanKind = "nonsaturating") -> Tensor:
    """The discriminator's loss of samples that it should call generated, or of real ones with a wrong condition."""
    logits = logits.float()
    if kind == "hinge":
        return nnf.relu(1 + logits).mean()
    return logits.square().mean() if kind == "lsgan" else nnf.softplus(logits).mean()


def generator_loss(fake: Tensor, *, kind: GanKind = "nonsaturating") -> Tensor:
    """The generator's loss of logits of its samples."""
    fake = fake.float()
    if kind == "hinge":
        return -fake.mean()
    return (fake - 1).square().mean() if kind == "lsgan" else nnf.softplus(-fake).mean()


def interpolate_samples(real: Tensor, fake: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """α · real + (1 − α) · fake for batches ``[n, …]`` of equal shape; α is uniform in 0…1, one for each sample."""
    shape = (len(real), *(1,) * (real.ndim - 1))
    alpha = torch.rand(shape, generator=generator, device=real.device)
    return fake.detach().float().lerp(real.detach().float(), alpha)


def gradient_penalty(score: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """
    The zero-centered gradient penalty: the mean over samples of ‖∂ score / ∂ point‖², a scalar that trains the score.

    `points` ``[n, …]`` are real samples (R1, arXiv 1801.04406), generated ones (R2), or `interpolate_samples` of both
    (arXiv 1902.03984); they are detached. `score` returns logits whose first dimension is n and which depend on their
    own sample only: no batch normalization. It runs in float32 without autocast, and must not be compiled, as compiled
    graphs have no second derivative.
    """
    with torch.enable_grad(), torch.autocast(points.device.type, enabled=False):
        points = points.detach().float().requires_grad_(True)
        (gradient,) = torch.autograd.grad(score(points).float().sum(), points, create_graph=True)
        return gradient.flatten(1).square().sum(1).mean()


def feature_matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """
    The mean absolute difference between features of real and generated samples, averaged over layers: a scalar.

    Features are pairs of tensors of equal shape; gradients flow into the generated ones only. Source: arXiv 1711.11585.
    """
    if len(real) != len(fake) or not real:
        raise ValueError(f"equally many layers are needed, at least one: {len(real)} real, {len(fake)} generated")
    distances = [nnf.l1_loss(f.float(), r.detach().float()) for r, f in zip(real, fake, strict=True)]
    return torch.stack(distances).mean()

"""
The parity setting: with `compat: upstream` and `original` cutouts a run on the CPU has the original's numbers.

The original's iteration (specification vqgan-clip §2.1 to §2.13) is written out below the plain way, one cutout after
the other and from torch's global generator, without any of the engine's own parts but the two networks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor
from videojob_runner.models.clip import Clip
from videojob_runner.models.packs import Pack
from videojob_runner.models.vqgan import Vqgan

from tests.unit.runner.engines.vqgan_clip_fakes import Worlds, run

SEED, WIDTH, HEIGHT, CUTS, RATE, STEPS = 11, 60, 44, 3, 0.2, 6
PROMPTS = (("a red circle", 1.0), ("blue", -0.5))
SIDE = 32


def pulled_back(x: Tensor) -> Tensor:
    """Clipped to 0…1; gradients pass that lead back."""
    clipped = x.clamp(0, 1)
    outside = (x - clipped).detach()
    if x.requires_grad:
        x.register_hook(lambda grad: grad * (grad * outside >= 0))  # type: ignore[no-untyped-call]
    return x + (clipped - x).detach()


def lanczos(ratio: float) -> Tensor:
    taps = [k * ratio for k in range(-20, 21) if abs(k * ratio) < 2]
    values = torch.tensor([windowed_sinc(math.pi * t) for t in taps])
    return values / values.sum()


def windowed_sinc(x: float) -> float:
    return 2 * math.sin(x) * math.sin(x / 2) / x**2 if x else 1.0


def resampled(crop: Tensor) -> Tensor:
    side = crop.shape[-1]
    if side > SIDE:
        kernel = lanczos(SIDE / side)
        border = len(kernel) // 2
        planes = crop.transpose(0, 1)
        planes = nnf.conv2d(nnf.pad(planes, (0, 0, border, border), "reflect"), kernel.view(1, 1, -1, 1))
        planes = nnf.conv2d(nnf.pad(planes, (border, border, 0, 0), "reflect"), kernel.view(1, 1, 1, -1))
        crop = planes.transpose(0, 1)
    return nnf.interpolate(crop, (SIDE, SIDE), mode="bicubic", align_corners=True)


def cutouts(picture: Tensor) -> Tensor:
    largest, smallest = min(WIDTH, HEIGHT), min(WIDTH, HEIGHT, SIDE)
    crops = []
    for _ in range(CUTS):
        side = int(torch.rand([]) ** 1.0 * (largest - smallest) + smallest)
        x, y = torch.randint(0, WIDTH - side + 1, ()), torch.randint(0, HEIGHT - side + 1, ())
        crops.append(resampled(picture[:, :, y : y + side, x : x + side]))
    return pulled_back(torch.cat(crops))


def original(generator: Vqgan, perceptor: Clip, *, init_weight: float) -> Iterator[float]:
    """The losses of the original's iterations."""
    book = generator.codebook
    columns, rows = WIDTH // generator.factor, HEIGHT // generator.factor
    torch.manual_seed(SEED)
    tokens = nnf.one_hot(torch.randint(len(book), (columns * rows,)), len(book)).float()
    z = (tokens @ book).view(1, rows, columns, -1).permute(0, 3, 1, 2).contiguous().requires_grad_()
    start = z.detach().clone()
    texts = nnf.normalize(perceptor.encode_text([text for text, _ in PROMPTS]).detach(), dim=-1)
    adam = torch.optim.Adam([z], lr=RATE)
    for _ in range(STEPS):
        adam.zero_grad()
        points = z.permute(0, 2, 3, 1)
        nearest = torch.cdist(points.reshape(-1, book.shape[1]), book).argmin(1)
        codes = (nnf.one_hot(nearest, len(book)).float() @ book).view(points.shape)
        snapped = (points + (codes - points).detach()).permute(0, 3, 1, 2)
        views = cutouts(pulled_back((generator.decode(snapped) + 1) / 2))
        seen = nnf.normalize(perceptor.encode_image(views), dim=-1)
        loss = torch.zeros(())
        for text, (_, weight) in zip(texts, PROMPTS, strict=True):
            distance = 2 * ((seen - text).norm(dim=-1) / 2).arcsin().square()
            loss = loss + abs(weight) * (math.copysign(1, weight) * distance).mean()
        if init_weight:
            loss = loss + init_weight / 2 * nnf.mse_loss(z, start)
        torch.autograd.backward(loss)
        adam.step()
        with torch.no_grad():
            z.copy_(z.maximum(book.amin(0).view(1, -1, 1, 1)).minimum(book.amax(0).view(1, -1, 1, 1)))
        yield float(loss.detach())


@pytest.mark.parametrize("init_weight", [0.0, 0.7])
def test_every_step_has_the_original_s_loss(
    world: Worlds, generator_folder: Path, perceptor_folder: Path, init_weight: float
) -> None:
    generator = Vqgan.load(Pack.open(generator_folder, kind="vqgan"))
    perceptor = Clip.load(Pack.open(perceptor_folder, kind="clip"))
    with torch.random.fork_rng(devices=[]):
        expected = list(original(generator, perceptor, init_weight=init_weight))
    fields: dict[str, Any] = {
        "width": WIDTH + 3,
        "height": HEIGHT + 1,
        "cuts": CUTS,
        "cutMethod": "original",
        "learningRate": RATE,
        "initWeight": init_weight,
        "image": {"prompts": " | ".join(f"{text}:{weight:g}" for text, weight in PROMPTS), "iterations": STEPS},
    }
    losses = run(world(seed=SEED), compat="upstream", **fields).progress.losses
    assert losses == pytest.approx(expected, abs=1e-5)
    assert losses != pytest.approx(run(world(seed=SEED), **fields).progress.losses, abs=1e-3), "other crops"

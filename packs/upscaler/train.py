"""
Trains `shapes-upscaler`, measures it, and writes the pack: `python -m packs.upscaler.train --out FOLDER`.

The network is Real-ESRGAN's compact one, which learns what to add to the repeated pixels: residual blocks of the larger
one did not even reach bicubic enlargement in the same five minutes of a core. Seeds are fixed: with equal packages,
equal weights. The measure is the peak signal-to-noise ratio on held-out pairs, beside that of Pillow's bicubic
enlargement of the same small pictures; both stand on the pack's card.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from spandrel.architectures.Compact import Compact
from torch import Tensor, nn
from torch.nn import functional as nnf
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from packs.shapes import export
from packs.upscaler import pictures

NAME: Final = "shapes-upscaler"
HELD_OUT: Final = 64

Enlarge = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the shipped weights were made."""

    filters: int = 32
    layers: int = 6
    """Convolutions between the first and the last."""
    pairs: int = 3000
    batch: int = 16
    crop: int = 16
    """Side of the part of a small picture that a step sees."""
    steps: int = 8000
    rate: float = 2e-3
    """Peak learning rate of Adam, after a tenth of the steps; it falls to zero along half a cosine."""
    memory: float = 0.99
    """What is kept are the weights averaged over the last steps, each counting this much of the one after it."""
    seed: int = 0


def network(recipe: Recipe) -> nn.Module:
    """The untrained network, drawn from the recipe's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        made: nn.Module = Compact(num_feat=recipe.filters, num_conv=recipe.layers, upscale=pictures.SCALE)
    return made


def train(recipe: Recipe) -> nn.Module:
    """The trained network."""
    net = network(recipe).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    kept = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(recipe.memory))  # type: ignore[no-untyped-call]
    data = pictures.pairs(pictures.TRAINING_SEED, recipe.pairs)
    draws = np.random.default_rng(recipe.seed)
    adam = torch.optim.Adam(net.parameters(), lr=recipe.rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: share_of_rate(step / recipe.steps))
    for step in range(recipe.steps):
        small, large = batch(data, recipe, draws)
        loss = nnf.l1_loss(net(small), large)
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        schedule.step()
        kept.update_parameters(net)
        if (step + 1) % 500 == 0:
            print(f"step {step + 1} of {recipe.steps}: loss {loss.item():.4f}", flush=True)
    averaged: nn.Module = kept.module
    return averaged.eval()


def share_of_rate(progress: float) -> float:
    """The rate's share of its peak at `progress` 0…1 of the training."""
    return min(10 * progress + 0.01, 0.5 + 0.5 * math.cos(math.pi * progress))


def batch(data: pictures.Pairs, recipe: Recipe, draws: np.random.Generator) -> tuple[Tensor, Tensor]:
    """
    Random parts of pairs, small and large, float ``[n, 3, side, side]`` in 0…1.

    All of a batch are turned, mirrored, and have their colours exchanged alike: so an edge between colours that seldom
    meet is learned from those that often do.
    """
    chosen = draws.integers(len(data.small), size=recipe.batch)
    top, left = draws.integers(pictures.SMALL_SIDE - recipe.crop + 1, size=2)
    turns, mirrored = int(draws.integers(4)), bool(draws.integers(2))
    colours = draws.permutation(3)
    small = data.small[chosen, top : top + recipe.crop, left : left + recipe.crop][..., colours]
    top, left, side = top * pictures.SCALE, left * pictures.SCALE, recipe.crop * pictures.SCALE
    large = data.large[chosen, top : top + side, left : left + side][..., colours]
    return seen(small, turns=turns, mirrored=mirrored), seen(large, turns=turns, mirrored=mirrored)


def seen(images: NDArray[np.uint8], *, turns: int, mirrored: bool) -> Tensor:
    """Images [n, side, side, 3] as a tensor ``[n, 3, side, side]`` in 0…1, turned by quarters, perhaps mirrored."""
    turned = np.rot90(images, turns, axes=(1, 2))
    if mirrored:
        turned = turned[:, :, ::-1]
    return torch.from_numpy(turned.copy()).permute(0, 3, 1, 2).contiguous() / 255


def by_network(net: nn.Module) -> Enlarge:
    """What the network makes of one small picture."""

    @torch.inference_mode()
    def enlarge(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
        result = net(seen(small[None], turns=0, mirrored=False))[0]
        return np.asarray((result.clamp(0, 1) * 255).round().byte().permute(1, 2, 0))

    return enlarge


def bicubic(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pillow's bicubic enlargement."""
    height, width = small.shape[:2]
    size = (width * pictures.SCALE, height * pictures.SCALE)
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))


def decibels(enlarge: Enlarge, held_out: pictures.Pairs) -> float:
    """The mean over all pairs of the peak signal-to-noise ratio of `enlarge`, in dB."""
    ratios = []
    for small, large in zip(held_out.small, held_out.large, strict=True):
        error = np.mean((enlarge(small).astype(np.float64) - large.astype(np.float64)) ** 2)
        ratios.append(10 * math.log10(255**2 / max(float(error), 1e-6)))
    return sum(ratios) / len(ratios)


def card(net: nn.Module) -> dict[str, object]:
    """What the weights can do, measured on pairs that no step has seen."""
    held_out = pictures.pairs(pictures.HELD_OUT_SEED, HELD_OUT)
    measured = {"bicubic": decibels(bicubic, held_out), NAME: decibels(by_network(net), held_out)}
    return {
        "psnr": {name: round(value, 2) for name, value in measured.items()},
        "unit": "dB",
        "pairs": HELD_OUT,
        "seed": pictures.HELD_OUT_SEED,
    }


def write(out: Path, net: nn.Module, recipe: Recipe, *, seconds: float) -> None:
    """The pack below `out`."""
    tensors = {name: tensor.detach() for name, tensor in net.state_dict().items()}
    halved = network(recipe).eval()
    halved.load_state_dict(export.halved(tensors))
    training = {
        "recipe": "make pack-upscaler",
        **asdict(recipe),
        "seconds": round(seconds),
        "codeDigest": export.code_digest([Path(__file__).parent, Path(export.__file__).parent]),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "numpy", "pillow", "spandrel")},
    }
    about = export.Description(NAME, "upscaler", {"scale": pictures.SCALE}, {}, training, card(halved))
    export.write_pack(out / NAME, about, tensors)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train and export the pack shapes-upscaler.")
    parser.add_argument("--out", type=Path, required=True, help=f"folder that gets {NAME}/")
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="default %(default)s")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipe, began = Recipe(steps=options.steps), time.monotonic()
    net = train(recipe)
    write(options.out, net, recipe, seconds=time.monotonic() - began)


if __name__ == "__main__":
    main()

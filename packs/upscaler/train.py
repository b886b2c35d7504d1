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
from collections.abc import Callable, Mapping
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
from torch.optim.lr_scheduler import LambdaLR
from videojob_runner.training.context import LocalTrainingContext
from videojob_runner.training.data.loader import BatchLoader
from videojob_runner.training.data.sampler import Draw, ResumableSampler
from videojob_runner.training.export import PackDescription, export_pack
from videojob_runner.training.module import OptimizeCallback, TrainingModule
from videojob_runner.training.trainer import Trainer, TrainerConfig

from packs.shapes import export
from packs.upscaler import dataset as pictures

NAME: Final = "shapes-upscaler"
HELD_OUT: Final = 64

UpscaleFn = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
PairBatch = list[Tensor]
"""Small and large images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscalerRecipe:
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


def build_network(recipe: UpscalerRecipe) -> nn.Module:
    """The untrained network, drawn from the recipe's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        made: nn.Module = Compact(num_feat=recipe.filters, num_conv=recipe.layers, upscale=pictures.SCALE)
    return made


def train(recipe: UpscalerRecipe) -> nn.Module:
    """The trained network, with averaged weights."""
    module = UpscalerTraining(recipe)
    dataset = PairDataset(pictures.make_pairs(pictures.TRAINING_SEED, recipe.pairs), crop=recipe.crop)
    source: BatchLoader[PairBatch] = BatchLoader(
        dataset, ResumableSampler(len(dataset), batch_size=recipe.batch, seed=recipe.seed)
    )
    config = TrainerConfig(steps=recipe.steps, log_every=500, ema_decay=recipe.memory, clip_norm=1.0)
    context = LocalTrainingContext(seed=recipe.seed, log_metrics=print_loss)
    summary = Trainer(config=config, context=context, source=source).fit(module)
    averaged = build_network(recipe)
    with summary.final_weights():
        averaged.load_state_dict(module.network.state_dict())
    return averaged.eval()


class UpscalerTraining(TrainingModule[PairBatch]):
    """The mean absolute error, by Adam."""

    def __init__(self, recipe: UpscalerRecipe) -> None:
        self.network = build_network(recipe).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        adam = torch.optim.Adam(self.network.parameters(), lr=recipe.rate, betas=(0.9, 0.99))
        self.networks = {"upscaler": self.network}
        self.optimizers = {"upscaler": adam}
        self.schedulers = {"upscaler": LambdaLR(adam, lambda step: lr_factor(step / recipe.steps))}

    def training_step(self, batch: PairBatch, step: int, optimize: OptimizeCallback) -> Mapping[str, Tensor]:
        """One step on small and large images, float ``[n, 3, side, side]`` in 0…1."""
        small, large = batch
        loss = nnf.l1_loss(self.network(small), large)
        optimize("upscaler", loss)
        return {"loss": loss}


class PairDataset:
    """
    Random parts of pairs, small and large, float ``[3, side, side]`` in 0…1.

    Each is turned by quarters, perhaps mirrored, and has its colours exchanged: so an edge between colours that seldom
    meet is learned from those that often do.
    """

    def __init__(self, pairs: pictures.ImagePairs, *, crop: int) -> None:
        self.pairs, self.crop = pairs, crop

    def __len__(self) -> int:
        return len(self.pairs.small)

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """A part of pair `draw.index`: `crop` pixels of its small image, and what they show of the large one."""
        rng = draw.rng()
        top, left = rng.integers(pictures.SMALL_SIDE - self.crop + 1, size=2)
        turns, mirror, colors = int(rng.integers(4)), bool(rng.integers(2)), rng.permutation(3)

        def part(images: NDArray[np.uint8], scale: int) -> Tensor:
            y, x, side = top * scale, left * scale, self.crop * scale
            turned = np.rot90(images[draw.index, y : y + side, x : x + side], turns)
            return to_tensor((turned[:, ::-1] if mirror else turned)[..., colors])

        return part(self.pairs.small, 1), part(self.pairs.large, pictures.SCALE)


def print_loss(step: int, metrics: Mapping[str, float]) -> None:
    """Prints the mean loss up to a step."""
    print(f"step {step}: loss {metrics['loss']:.4f}", flush=True)


def lr_factor(progress: float) -> float:
    """The rate's share of its peak at `progress` 0…1 of the training."""
    return min(10 * progress + 0.01, 0.5 + 0.5 * math.cos(math.pi * progress))


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """An image ``[side, side, 3]`` as a tensor ``[3, side, side]`` in 0…1."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))) / 255


def upscale_with(net: nn.Module) -> UpscaleFn:
    """What the network makes of one small picture."""

    @torch.inference_mode()
    def enlarge(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
        result = net(to_tensor(small)[None])[0]
        return np.asarray((result.clamp(0, 1) * 255).round().byte().permute(1, 2, 0))

    return enlarge


def bicubic(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pillow's bicubic enlargement."""
    height, width = small.shape[:2]
    size = (width * pictures.SCALE, height * pictures.SCALE)
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))


def mean_psnr(enlarge: UpscaleFn, held_out: pictures.ImagePairs) -> float:
    """The mean over all pairs of the peak signal-to-noise ratio of `enlarge`, in dB."""
    ratios = []
    for small, large in zip(held_out.small, held_out.large, strict=True):
        error = np.mean((enlarge(small).astype(np.float64) - large.astype(np.float64)) ** 2)
        ratios.append(10 * math.log10(255**2 / max(float(error), 1e-6)))
    return sum(ratios) / len(ratios)


def model_card(net: nn.Module) -> dict[str, object]:
    """What the weights can do, measured on pairs that no step has seen."""
    held_out = pictures.make_pairs(pictures.HELD_OUT_SEED, HELD_OUT)
    measured = {"bicubic": mean_psnr(bicubic, held_out), NAME: mean_psnr(upscale_with(net), held_out)}
    return {
        "psnr": {name: round(value, 2) for name, value in measured.items()},
        "unit": "dB",
        "pairs": HELD_OUT,
        "seed": pictures.HELD_OUT_SEED,
    }


def write_upscaler_pack(out: Path, net: nn.Module, recipe: UpscalerRecipe, *, seconds: float) -> None:
    """The pack below `out`."""
    tensors = {name: tensor.detach() for name, tensor in net.state_dict().items()}
    halved = build_network(recipe).eval()
    halved.load_state_dict(export.to_half(tensors))
    training = {
        "recipe": "make pack-upscaler",
        **asdict(recipe),
        "seconds": round(seconds),
        "codeDigest": export.code_digest([Path(__file__).parent, Path(export.__file__).parent]),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "numpy", "pillow", "spandrel")},
    }
    about = PackDescription(
        name=NAME,
        kind="upscaler",
        architecture={"scale": pictures.SCALE},
        training=training,
        card=model_card(halved),
    )
    export_pack(out / NAME, tensors, about)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train and export the pack shapes-upscaler.")
    parser.add_argument("--out", type=Path, required=True, help=f"output folder for {NAME}/")
    parser.add_argument("--steps", type=int, default=UpscalerRecipe().steps, help="default %(default)s")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipe, began = UpscalerRecipe(steps=options.steps), time.monotonic()
    net = train(recipe)
    write_upscaler_pack(options.out, net, recipe, seconds=time.monotonic() - began)


if __name__ == "__main__":
    main()

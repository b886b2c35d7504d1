"""
The neural judge: a plain convolutional classifier of shape, colour and background, trained on the other renderer.

It is independent of what it judges: it has seen no picture, no program and no weights of the packs. Training takes
two to three minutes of one core and happens once per machine: the weights lie in the cache folder under a name that
is the digest of this folder's programs and the seed. They are never shipped.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as nnf
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from videojob_runner.torch_utils.precision import has_native_bfloat16

from tests.fidelity import independent_renderer as drawn

SEED, PICTURES, STEPS, BATCH = 11, 16_000, 1800, 64
CLASSES: Final = (len(drawn.SHAPES), len(drawn.COLOURS), len(drawn.BACKGROUNDS))


@dataclass(frozen=True, slots=True)
class Classification:
    """What the judge sees in one picture."""

    shape: str
    colour: str
    background: str


class ShapeClassifier(nn.Module):
    """Five convolutions and three linear heads."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in ((3, 24, 2), (24, 48, 1), (48, 64, 2), (64, 96, 2), (96, 128, 2)):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(128 * 16, sum(CLASSES))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits of shape, colour and background of pictures ``[n, 3, 64, 64]`` in 0…1."""
        seen = self.body((images - 0.5) * 4)
        return self.head(seen.flatten(1)).split(CLASSES, 1)  # type: ignore[no-any-return]

    @torch.no_grad()
    def verdicts(self, images: NDArray[np.uint8]) -> list[Classification]:
        """Verdicts on uint8 ``[n, H, W, 3]`` pictures, H and W at least 64."""
        batch = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255
        batch = nnf.interpolate(batch, size=drawn.SIDE, mode="bilinear", antialias=True)
        picks = [logits.argmax(1).tolist() for logits in self(batch)]
        return [
            Classification(drawn.SHAPES[s], drawn.COLOURS[c], drawn.BACKGROUNDS[b])
            for s, c, b in zip(*picks, strict=True)
        ]


def loss_of(logits: Sequence[Tensor], classes: Tensor) -> Tensor:
    """Sum of the three cross-entropies; −1 means unknown."""
    return torch.stack([nnf.cross_entropy(made, classes[:, i], ignore_index=-1) for i, made in enumerate(logits)]).sum()


def train_classifier() -> ShapeClassifier:
    """A judge from nothing, two to three minutes."""
    torch.manual_seed(SEED)
    rng, data, judge = np.random.default_rng(SEED), drawn.make_dataset(SEED, PICTURES), ShapeClassifier()
    images, classes = torch.from_numpy(data.images).permute(0, 3, 1, 2), torch.from_numpy(data.classes)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.02)
    average = AveragedModel(judge, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)  # type: ignore[no-untyped-call]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, pct_start=0.15, total_steps=STEPS)
    for _ in range(STEPS):
        pick = torch.from_numpy(rng.integers(len(images), size=BATCH))
        batch = images[pick].float() / 255
        batch = batch.flip(-1) if rng.random() < 0.5 else batch
        with torch.autocast("cpu", torch.bfloat16, enabled=has_native_bfloat16("cpu")):
            logits = judge(torch.roll(batch, tuple(rng.integers(-4, 5, size=2).tolist()), (2, 3)))
        optimiser.zero_grad()
        torch.autograd.backward(loss_of([made.float() for made in logits], classes[pick]))
        optimiser.step()
        schedule.step()
        average.update_parameters(judge)
    judge.load_state_dict(average.module.state_dict())
    return judge.eval()


def cache_file() -> Path:
    """Where the weights of exactly this judge lie."""
    sources = [(Path(__file__).parent / f"{name}.py").read_text() for name in ("classifier", "independent_renderer")]
    code = "".join(ast.dump(ast.parse(source)) for source in sources)  # blind to comments and layout
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "videojob" / "judge" / f"{hashlib.sha256(f'{code}{SEED}'.encode()).hexdigest()[:32]}.safetensors"


def load_or_train() -> ShapeClassifier:
    """The judge, trained on first use."""
    file, judge = cache_file(), ShapeClassifier()
    if not file.exists():
        judge = train_classifier()
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        save_file(judge.state_dict(), partial)
        partial.replace(file)
    judge.load_state_dict(load_file(file))
    return judge.eval()

"""
Who computes VQGAN+CLIP, as a process that answers words (`bench.turns`).

    python -m bench.contestants ours '{"generator": "…", "perceptor": "…", …}'

`step` is one iteration, `parts` times the parts of one, `bound` counts its operations. A run begins with random codes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Final, Protocol

import torch
from torch import Tensor
from videojob_runner.engines.vqgan_clip import (
    Anchor,
    Clip,
    CutoutOptions,
    Cutouts,
    Descent,
    Guidance,
    Latent,
    Pack,
    Randomness,
    Vqgan,
    parse,
    random_codes,
)
from videojob_runner.engines.vqgan_clip.guidance import usual_precision

from bench.bound import counted, matmul_rate
from bench.meters import Meters, Seconds
from bench.setting import Setting
from bench.turns import Answer, Words, serve
from bench.upstream_way import Networks, UpstreamWay


class Run(Protocol):
    """An iteration, and its parts alone."""

    @property
    def z(self) -> Tensor:
        """The latent ``[1, C, h, w]``."""

    def picture(self, z: Tensor) -> Tensor:
        """The picture ``[1, 3, H, W]`` of a latent."""

    def views(self, picture: Tensor) -> Tensor:
        """What CLIP is shown of a picture, ``[n, 3, S, S]``."""

    def embeddings(self, views: Tensor) -> Tensor:
        """What CLIP sees in views, ``[n, D]``."""

    def step(self) -> Tensor:
        """One iteration; the loss before it."""


class Ours:
    """The engine; with `upstream`, as `compat: upstream` has it."""

    def __init__(self, setting: Setting, *, upstream: bool) -> None:
        generator = Vqgan.load(Pack.open(setting.generator, kind="vqgan"), device=setting.device)
        perceptor = Clip.load(Pack.open(setting.perceptor, kind="clip"), device=setting.device)
        if setting.compiled:
            generator.decoder.compile()
            perceptor.network.visual.compile()
        options = CutoutOptions(count=setting.cuts, method=setting.method, upstream=upstream)
        self.guidance = Guidance(
            generator=generator,
            perceptor=perceptor,
            cutouts=Cutouts(options, target=perceptor.side),
            precision=precision(setting),
        )
        streams = Randomness.as_upstream if upstream else Randomness.of
        self.rate, self.randomness = setting.rate, streams(setting.seed, device=setting.device)
        start = random_codes(generator, size=setting.size, draws=self.randomness.noise)
        self.latent = Latent(start, generator.codebook, Descent(anchor=Anchor(weight=setting.init_weight)))
        self.targets = self.guidance.targets(parse(setting.prompt)[0])

    @property
    def z(self) -> Tensor:
        """The latent."""
        return self.latent.z

    def picture(self, z: Tensor) -> Tensor:
        """Quantiser, decoder and clamp."""
        return self.guidance.picture(z)

    def views(self, picture: Tensor) -> Tensor:
        """What CLIP is shown."""
        return self.guidance.cutouts(picture, self.randomness)

    def embeddings(self, views: Tensor) -> Tensor:
        """What CLIP sees."""
        with self.guidance.autocast():
            return self.guidance.perceptor.encode_image(views).float()

    def step(self) -> Tensor:
        """One iteration; the loss before it."""
        return self.latent.step(self.guidance, self.targets, rate=self.rate, randomness=self.randomness).loss


CONTESTANTS: Final[dict[str, Callable[[Setting], Run]]] = {
    "upstream's way": lambda setting: UpstreamWay(Networks.load(setting), setting),
    "ours, compat": lambda setting: Ours(setting, upstream=True),
    "ours": lambda setting: Ours(setting, upstream=False),
}
"""The original's way as we wrote it; the engine with `compat: upstream`; the engine as it is."""


def precision(setting: Setting) -> torch.dtype:
    """What our networks compute in."""
    if setting.precision == "usual":
        return usual_precision(setting.device)
    return torch.bfloat16 if setting.precision == "bfloat16" else torch.float32


def iteration(run: Run, meters: Meters) -> Answer:
    """The next iteration's loss, its seconds, and the process's peak of memory so far in MB."""
    loss, seconds = meters.timed(lambda: float(run.step()))
    return {"loss": loss, **asdict(seconds), "peak": meters.peak()}


def parts(run: Run, meters: Meters) -> Answer:
    """Seconds of each part of an iteration, forward and backward."""
    with torch.no_grad():
        picture = run.picture(run.z)
        views = run.views(picture)
    works = {"decoder": (run.picture, run.z), "cutouts": (run.views, picture), "CLIP": (run.embeddings, views)}
    return {
        f"{name} {way}": asdict(seconds)
        for name, (make, source) in works.items()
        for way, seconds in both_ways(make, source, meters).items()
    }


def both_ways(make: Callable[[Tensor], Tensor], source: Tensor, meters: Meters) -> dict[str, Seconds]:
    """Seconds forward and back to the source."""
    leaf = source.detach().clone().requires_grad_()
    made, forward = meters.timed(lambda: make(leaf).sum())
    _, backward = meters.timed(lambda: torch.autograd.grad(made, leaf))
    return {"forward": forward, "backward": backward}


def operations(run: Run, setting: Setting) -> Answer:
    """Floating-point operations of an iteration, and how many a second of them the device does at its best."""
    rate = matmul_rate(Meters(setting.device), precision(setting))
    return {"operations": counted(run.step), "operationsPerSecond": rate}


def prepare() -> Words:
    """The contestant and the setting of the command line, with what it can be asked."""
    name, document = sys.argv[1:]
    setting = Setting.model_validate_json(document)
    if setting.tf32:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    meters, run = Meters(setting.device), CONTESTANTS[name](setting)
    loading = meters.peak()
    meters.start_anew()
    ready = {"memory": meters.memory(), "peak": loading}
    return {
        "ready": lambda: ready,
        "step": lambda: iteration(run, meters),
        "parts": lambda: parts(run, meters),
        "bound": lambda: operations(run, setting),
    }


if __name__ == "__main__":
    serve(prepare)

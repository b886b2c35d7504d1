"""
Who computes VQGAN+CLIP, as a process that answers words (`bench.interleave`).

    python -m bench.implementations ours '{"generator": "…", "perceptor": "…", …}'

`step` is one iteration, `parts` times the parts of one, `bound` counts its operations. A run begins with random codes.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Final, Protocol

import torch
from torch import Tensor

from bench.config import BenchConfig
from bench.interleave import Answer, Commands, serve
from bench.measure import Meter, Timing
from bench.roofline import count_flops, matmul_rate


class BenchRun(Protocol):
    """An iteration, and its parts alone."""

    @property
    def precision(self) -> torch.dtype:
        """What the decoder computes in."""

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


IMPLEMENTATIONS: Final = {
    "upstream's way": "bench.reference:run",
    "ours, compat": "bench.engine_run:compat_run",
    "ours": "bench.engine_run:default_run",
    "ours, compat, bfloat16": "bench.engine_run:compat_bfloat16_run",
    "ours, bfloat16": "bench.engine_run:bfloat16_run",
}
"""
What makes the run of each: the original's way as we wrote it, and the engine, with `compat: upstream` and as it is, in
float32 and in bfloat16.
"""


def load_implementation(name: str, setting: BenchConfig) -> BenchRun:
    """A run of one of them; nothing that others need is imported, so that starts and memory are its own."""
    run: BenchRun = pkgutil.resolve_name(IMPLEMENTATIONS[name])(setting)
    return run


def iteration(run: BenchRun, meters: Meter) -> Answer:
    """The next iteration's loss, its seconds, and the process's peak of memory so far in MB."""
    loss, seconds = meters.timed(lambda: float(run.step()))
    return {"loss": loss, **asdict(seconds), "peak": meters.peak()}


def time_parts(run: BenchRun, meters: Meter) -> Answer:
    """Seconds of each part of an iteration, forward and backward."""
    with torch.no_grad():
        picture = run.picture(run.z)
        views = run.views(picture)
    works = {"decoder": (run.picture, run.z), "cutouts": (run.views, picture), "CLIP": (run.embeddings, views)}
    return {
        f"{name} {way}": asdict(seconds)
        for name, (make, source) in works.items()
        for way, seconds in time_forward_backward(make, source, meters).items()
    }


def time_forward_backward(make: Callable[[Tensor], Tensor], source: Tensor, meters: Meter) -> dict[str, Timing]:
    """Seconds forward and back to the source."""
    leaf = source.detach().clone().requires_grad_()
    made, forward = meters.timed(lambda: make(leaf).sum())
    _, backward = meters.timed(lambda: torch.autograd.grad(made, leaf))
    return {"forward": forward, "backward": backward}


def count_operations(run: BenchRun, setting: BenchConfig) -> Answer:
    """Floating-point operations of an iteration, and how many a second of them the device does at its best."""
    rate = matmul_rate(Meter(setting.device), run.precision)
    return {"operations": count_flops(run.step), "operationsPerSecond": rate}


def build_commands() -> Commands:
    """The contestant and the setting of the command line, with what it can be asked."""
    name, document = sys.argv[1:]
    setting = BenchConfig.model_validate_json(document)
    if setting.tf32:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    meters, run = Meter(setting.device), load_implementation(name, setting)
    loading = meters.peak()
    meters.reset_peak()
    ready = {"memory": meters.memory(), "peak": loading}
    return {
        "ready": lambda: ready,
        "step": lambda: iteration(run, meters),
        "parts": lambda: time_parts(run, meters),
        "bound": lambda: count_operations(run, setting),
    }


if __name__ == "__main__":
    serve(build_commands)

"""
The parity setting: with `compat: upstream` a run on the CPU has the original's numbers, loss by loss.

The original's iteration is an independent writing in `bench.reference`, which shares nothing with the engine but the
files of the weights. With `kornia` cutouts its views are drawn by the kornia of today, as ours are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bench import reference
from bench.config import BenchConfig, Method
from tests.unit.runner.engines.vqgan_clip.fakes import HarnessFactory, run

SEED, STEPS = 11, 6


def original(setting: BenchConfig) -> list[float]:
    """The losses of the original's iterations."""
    with torch.random.fork_rng(devices=[]):
        way = reference.run(setting)
        return [float(way.step()) for _ in range(STEPS)]


@pytest.mark.parametrize("init_weight", [0.0, 0.7])
@pytest.mark.parametrize("method", ["original", "kornia"])
def test_every_step_has_the_original_s_loss(
    world: HarnessFactory, generator_folder: Path, perceptor_folder: Path, method: Method, init_weight: float
) -> None:
    setting = BenchConfig(
        generator=generator_folder,
        perceptor=perceptor_folder,
        size=(60, 44),
        cuts=3,
        method=method,
        seed=SEED,
        rate=0.2,
        init_weight=init_weight,
    )
    fields: dict[str, Any] = {
        "width": 63,
        "height": 45,
        "cuts": 3,
        "cutMethod": method,
        "learningRate": 0.2,
        "initWeight": init_weight,
        "image": {"prompts": setting.prompt, "iterations": STEPS},
    }
    losses = run(world(seed=SEED), compat="upstream", **fields).progress.losses
    assert losses == pytest.approx(original(setting), abs=1e-5)
    assert losses != pytest.approx(run(world(seed=SEED), **fields).progress.losses, abs=1e-3), "other crops"

"""
A process that says what an iteration was foretold to take, and what it took.

    python -m tests.unit.runner.engines.vqgan_clip.measure_peak_memory \\
        '{"side": 256, "cuts": 8, "method": "kornia", "at_once": 8}'
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import torch
from videojob_runner.engines.vqgan_clip import (
    CutoutOptions,
    Cutouts,
    Guidance,
    LatentOptimizer,
    RandomStreams,
    parse,
    random_codes,
)
from videojob_runner.engines.vqgan_clip.guidance.memory import MemoryEstimator, MemoryPlan
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.clip.openai import CLIP
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan, VqganArchitecture
from videojob_runner.run.pack_resolver import built_in_packs

SELF = Path("/proc/self")


def resident(name: str) -> int:
    """`RssAnon`, `RssFile` or `VmHWM` of this process, in bytes."""
    return int(re.findall(rf"{name}:\s+(\d+) kB", (SELF / "status").read_text())[0]) * 1024


def networks(options: dict[str, Any]) -> tuple[Vqgan, Clip]:
    """The shapes packs, or with `large` random weights of the sizes that most people use."""
    if not options.get("large"):
        folder = built_in_packs({})
        return (
            Vqgan.load(Pack.open(folder / "shapes-vqgan", kind="vqgan")),
            Clip.load(Pack.open(folder / "shapes-clip", kind="clip")),
        )
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "ch": 128,
        "ch_mult": [1, 1, 2, 2, 4],
        "num_res_blocks": 2,
        "attn_resolutions": [16],
        "resolution": 256,
    }
    generator = Vqgan(VqganArchitecture(**shape, z_channels=256, embed_dim=256, codebook_size=16_384))
    perceptor = Clip(CLIP(512, 224, 12, 768, 32, 77, 49_408, 512, 8, 12))
    return generator.requires_grad_(False).eval(), perceptor.requires_grad_(False).eval()


def main(options: dict[str, Any]) -> dict[str, int]:
    """The estimate and the growth in bytes, in a process that gives back what it frees."""
    generator, perceptor = networks(options)
    cut, size = CutoutOptions(count=options["cuts"], method=options["method"]), (options["side"],) * 2
    plan = MemoryPlan(chunk_size=options["at_once"], checkpoint_decoder=options["recompute"])
    guidance = Guidance(
        generator=generator,
        perceptor=perceptor,
        cutouts=Cutouts(cut, target=perceptor.input_size),
        chunk_size=plan.chunk_size,
        checkpoint_decoder=plan.checkpoint_decoder,
    )
    targets, randomness = guidance.text_targets(parse("a red circle")[0]), RandomStreams.from_seed(1)
    latent = LatentOptimizer(random_codes(generator, size=size, draws=randomness.host), generator.codebook)
    before = resident("RssAnon")
    for _ in range(2):
        (SELF / "clear_refs").write_text("5")  # the peak counts from here; the first time it reads programs, too
        latent.step(guidance, targets, rate=0.1, randomness=randomness)
    demand = MemoryEstimator(generator=generator, perceptor=perceptor, size=size, cutouts=cut)
    grown = resident("VmHWM") - resident("RssFile") - before
    return {
        "estimate": demand.iteration_bytes(plan),
        "peak": grown,
        "before": before,
        "total": demand.total_bytes(plan),
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))

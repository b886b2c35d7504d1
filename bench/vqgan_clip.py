"""
Seconds per iteration of VQGAN+CLIP, as a small table.

    python bench/vqgan_clip.py                                      the shapes packs at 64×64, 8 and 16 cutouts
    python bench/vqgan_clip.py --large                              also f16 and ViT-B/32 sizes, random weights
    python bench/vqgan_clip.py --device cuda --precision bfloat16

Wall seconds are what a user waits; CPU seconds are the steadier figure on a busy machine. Threads come from
OMP_NUM_THREADS. The parts of an iteration (decoder, cutouts, CLIP; forward and backward) are timed apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from clip.model import CLIP
from torch import Tensor
from videojob_runner.engines.vqgan_clip import (
    Augmentation,
    Clip,
    CutoutOptions,
    Cutouts,
    Guidance,
    Latent,
    Pack,
    Randomness,
    Vqgan,
    gray,
    parse,
)
from videojob_runner.models.vqgan import VqganArchitecture

BUILTIN = Path("runner/videojob_runner/models/builtin")
SHAPES = Augmentation(shift=(0, 0.1), sharpness=0, jitter=0)
F16 = VqganArchitecture(
    ch=128,
    ch_mult=[1, 1, 2, 2, 4],
    num_res_blocks=2,
    attn_resolutions=[16],
    resolution=256,
    z_channels=256,
    embed_dim=256,
    codebook_size=16_384,
)


def seconds(work: Callable[[], object], *, rounds: int, device: str) -> tuple[float, float]:
    """Wall and CPU seconds of one `work`, after one that warms up; the median of the rounds."""
    work()
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return sorted(walls)[rounds // 2], sorted(cpus)[rounds // 2]


def with_gradient(make: Callable[[Tensor], Tensor], source: Tensor) -> Callable[[], object]:
    """Forward and backward of `make` to a copy of `source`."""
    leaf = source.detach().clone().requires_grad_()
    return lambda: torch.autograd.grad(make(leaf).float().sum(), leaf)


def embedded(guidance: Guidance, views: Tensor) -> Tensor:
    """What CLIP makes of the views, in the guidance's precision."""
    with guidance.autocast():
        return guidance.perceptor.encode_image(views)


def row(name: str, guidance: Guidance, *, side: int, rounds: int, device: str) -> str:
    """One line of the table: a whole iteration and its three parts."""
    latent = Latent(gray(guidance.generator, size=(side, side)), guidance.generator.codebook)
    targets, randomness = guidance.targets(parse("a red circle")[0]), Randomness.of(0, device=device)
    count, seen = guidance.cutouts.options.count, guidance.perceptor.side
    views = torch.rand(count, 3, seen, seen, device=device)
    picture = torch.rand(1, 3, side, side, device=device)
    works = [
        lambda: latent.step(guidance, targets, rate=0.1, randomness=randomness),
        with_gradient(guidance.picture, latent.z),
        with_gradient(lambda p: guidance.cutouts(p, randomness), picture),
        with_gradient(lambda v: embedded(guidance, v), views),
    ]
    timed = [seconds(work, rounds=rounds, device=device) for work in works]
    cells = "".join(f"{wall:8.3f}/{cpu:.3f}" for wall, cpu in timed)
    return f"{name:<22}{side:>5}{count:>5}{cells}"


def random_networks(device: str) -> tuple[Vqgan, Clip]:
    """The sizes of the ImageNet f16 VQGAN and of ViT-B/32, with random weights."""
    torch.manual_seed(0)
    vit = CLIP(512, 224, 12, 768, 32, 77, 49_408, 512, 8, 12)
    networks = Vqgan(F16), Clip(vit)
    for network in networks:
        network.requires_grad_(False).eval().to(device)
    return networks


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", type=Path, default=BUILTIN, help="folder of shapes-vqgan and shapes-clip")
    parser.add_argument("--large", action="store_true", help="also f16 and ViT-B/32 at 256×256 with 32 cutouts")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    device, rounds, precision = options.device, options.rounds, getattr(torch, options.precision)
    print(f"torch {torch.__version__}, {device}, {options.precision}, {torch.get_num_threads()} threads")
    print(f"wall/CPU seconds, medians of {rounds}")
    print(f"{'packs':<22}{'side':>5}{'cuts':>5}{'iteration':>14}{'decoder':>14}{'cutouts':>14}{'CLIP':>14}")
    generator = Vqgan.load(Pack.open(options.packs / "shapes-vqgan", kind="vqgan"), device=device)
    perceptor = Clip.load(Pack.open(options.packs / "shapes-clip", kind="clip"), device=device)
    for cuts in (8, 16):
        cutouts = Cutouts(CutoutOptions(count=cuts, augmentation=SHAPES), target=perceptor.side)
        guidance = Guidance(generator=generator, perceptor=perceptor, cutouts=cutouts, precision=precision)
        print(row("shapes", guidance, side=64, rounds=rounds, device=device), flush=True)
    if options.large:
        generator, perceptor = random_networks(device)
        cutouts = Cutouts(CutoutOptions(count=32), target=perceptor.side)
        guidance = Guidance(generator=generator, perceptor=perceptor, cutouts=cutouts, precision=precision)
        print(row("f16 + ViT-B/32 sizes", guidance, side=256, rounds=min(rounds, 3), device=device))


if __name__ == "__main__":
    main()

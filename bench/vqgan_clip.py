"""
VQGAN+CLIP against the original's way of computing the same, in turn in one run.

    python -m bench.vqgan_clip                                     ImageNet f16-16384 and ViT-B/32, 256×256, 32 cutouts
    python -m bench.vqgan_clip --networks shapes --size 64 --cuts 16
    python -m bench.vqgan_clip --device cuda --tf32 --compile
    python -m bench.vqgan_clip --contestants "another=python another.py" "ours, compat"

The first contestant is the reference; others than ours are programs that take a `BenchConfig` as JSON and answer as
`bench.interleave` says. The large networks have random weights. Printed for each cut method, in columns: the median
seconds of an iteration (wall, and CPU of all threads), both as ratios to the reference; seconds until the contestant
was ready; MB of memory (at most until then; then; at most in the iterations; what of that came with them); and the
largest difference of the losses from the reference's. Then the parts of an iteration, and how near it comes to the
speed of matrix products.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from videojob_api.pipelines.vqgan_clip import MemoryOptions

from bench.config import BenchConfig
from bench.interleave import BenchProcess, ProcessExited, run_interleaved, start_process
from bench.report import compare, parts_table, results_table

BUILTIN: Final = Path("runner/videojob_runner/models/builtin")
NAMES: Final = ("upstream's way", "ours, compat", "ours", "ours, compat, bfloat16", "ours, bfloat16")
"""The contestants of `bench.implementations`."""
LIBRARIES: Final = ("torch", "kornia", "openai-clip", "taming-transformers")
PARTS_ROUNDS: Final = 3


def commands(options: argparse.Namespace, setting: BenchConfig) -> dict[str, list[str]]:
    """How each contestant is started, by its name."""
    document = setting.model_dump_json()
    own = [sys.executable, "-W", "ignore", "-m", "bench.implementations"]
    parts = [each.partition("=") for each in options.contestants]
    return {name: [*(shlex.split(command) if command else [*own, name]), document] for name, _, command in parts}


def run_bench(options: argparse.Namespace, setting: BenchConfig) -> dict[str, Any]:
    """All figures for one setting, printed and as a document."""
    environment = {"OMP_NUM_THREADS": str(options.threads)}
    with ExitStack() as stack:
        contestants: list[BenchProcess] = []
        ready = {}
        for name, command in commands(options, setting).items():  # one after the other, so that nobody slows a start
            began = time.monotonic()
            contestant = stack.enter_context(start_process(name, command, environment=environment))
            try:
                ready[name] = contestant.answer() | {"seconds": time.monotonic() - began}
            except ProcessExited as error:  # so goes bfloat16 on a CPU that would imitate it
                if not contestants:
                    raise  # without the reference there is nothing to compare with
                print(f"{error}: left out", flush=True)
            else:
                contestants.append(contestant)
        steps = run_interleaved(contestants, word="step", rounds=options.steps)
        found = compare(steps, ready, reference=contestants[0].name)
        print(f"\n{setting.method}\n{results_table(found)}", flush=True)
        own = [contestant for contestant in contestants if contestant.name in NAMES]
        inside = profile(own, seconds={name: each.wall for name, each in found.items()}) if own else {}
    return {
        "setting": setting.model_dump(mode="json"),
        "figures": {name: asdict(each) for name, each in found.items()},
        "steps": steps,
        **inside,
    }


def profile(contestants: Sequence[BenchProcess], *, seconds: dict[str, float]) -> dict[str, Any]:
    """Where the seconds go, and how few there could be; printed, and as a document."""
    parts = run_interleaved(contestants, word="parts", rounds=PARTS_ROUNDS)
    print(f"\n{parts_table(parts)}", flush=True)
    return {"parts": parts, "bound": roofline(contestants, seconds=seconds)}


def roofline(contestants: Sequence[BenchProcess], *, seconds: dict[str, float]) -> dict[str, Any]:
    """Everyone's operations, the best rate that anyone saw, and how near each comes to it with the first one's work."""
    answers = {contestant.name: contestant.ask("bound") for contestant in contestants}
    operations = {name: answer["operations"] for name, answer in answers.items()}
    work, rate = operations[contestants[0].name], max(answer["operationsPerSecond"] for answer in answers.values())
    shares = {name: work / rate / each for name, each in seconds.items()}
    print(f"\n{'':<24}{'GFLOP':>8}{'of the bound':>14}")
    for name, count in operations.items():
        print(f"{name:<24}{count / 1e9:>8.0f}{shares[name]:>14.0%}")
    print(f"the bound: {work / rate:.3f} s, {work / 1e9:.0f} GFLOP at the {rate / 1e9:.0f} GFLOP/s of matrix products")
    return {"operations": operations, "operationsPerSecond": rate, "shares": shares}


def machine_info() -> dict[str, Any]:
    """What it runs on."""
    cpu = next((line for line in cpu_info() if line.startswith("model name")), ":").split(":", 1)[1].strip()
    versions = {name: version(name) for name in LIBRARIES}
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), **versions}


def cpu_info() -> list[str]:
    """The kernel's description of the processors; nothing where there is none."""
    description = Path("/proc/cpuinfo")
    return description.read_text().splitlines() if description.exists() else []


def packs(options: argparse.Namespace, scratch: Path) -> tuple[Path, Path]:
    """The folders of generator and perceptor."""
    if options.networks == "shapes":
        return BUILTIN / "shapes-vqgan", BUILTIN / "shapes-clip"
    folder = options.packs or scratch
    subprocess.run([sys.executable, "-m", "bench.random_packs", str(folder)], check=True)  # keeps torch out of here
    return folder / "random-f16-16384", folder / "random-vit-b-32"


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", choices=["f16", "shapes"], default="f16")
    parser.add_argument("--packs", type=Path, help="folder in which the random weights are kept for the next run")
    parser.add_argument("--methods", nargs="+", choices=["original", "kornia"], default=["original", "kornia"])
    parser.add_argument("--size", type=int, default=256, help="side in pixels")
    parser.add_argument("--cuts", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tf32", action="store_true", help="allow TF32 on CUDA for all implementations")
    parser.add_argument("--views-at-once", type=int, help="cutouts per batch of our CLIP")
    parser.add_argument("--recompute", action="store_true", help="use activation checkpointing in our decoder")
    parser.add_argument("--compile", action="store_true", help="compile our networks")
    parser.add_argument(
        "--contestants", nargs="+", default=NAMES, metavar="NAME[=COMMAND]", help="run the reference first"
    )
    parser.add_argument("--json", type=Path, help="file for all figures")
    return parser.parse_args()


def main() -> None:
    """Measures, prints and writes."""
    options = parse_arguments()
    facts = machine_info()
    print(
        facts, f"{options.threads} threads, {options.device}", f"{options.size}×{options.size}, {options.cuts} cutouts"
    )
    with tempfile.TemporaryDirectory() as scratch:
        generator, perceptor = packs(options, Path(scratch))
        settings = [
            BenchConfig(
                generator=generator.absolute(),
                perceptor=perceptor.absolute(),
                size=(options.size, options.size),
                cuts=options.cuts,
                method=method,
                device=options.device,
                tf32=options.tf32,
                memory=MemoryOptions(views_at_once=options.views_at_once, recompute=options.recompute or None),
                compiled=options.compile,
            )
            for method in options.methods
        ]
        runs = [run_bench(options, setting) for setting in settings]
    if options.json:
        options.json.write_text(json.dumps({"machine": facts, "threads": options.threads, "runs": runs}, indent=1))


if __name__ == "__main__":
    main()

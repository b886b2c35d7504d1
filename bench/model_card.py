"""
The model card of the shapes packs: what they do, measured, written into the `card` of both `pack.json` files.

``python -m bench.model_card --seeds 3`` guides 48 prompts per seed through the runner's engine, has them judged, and
adds the controls (prompts swapped, a CLIP that has learnt nothing, negative weights), retrieval and reconstruction.
The prompts are others than those of the test. On two cores a seed takes about ten minutes in bfloat16, half an hour in
float32; `--prompts`, `--seeds` and `--iterations` make it shorter, and the card says what was run. Guided pictures are
kept below `--work`, side by side in a PNG for each batch: to be looked at, and for the next run, which goes on there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from videojob_runner import models
from videojob_runner.engines import vqgan_clip

from packs.shapes import clip_model, dataset, export, negatives, vocabulary, vqgan_training
from packs.shapes.first_stage import FirstStage
from packs.shapes.train import default_work_folder
from tests.fidelity.batch_guidance import BUILTIN, LoadedPacks, Pictures
from tests.fidelity.classifier import ShapeClassifier, load_or_train
from tests.fidelity.evaluators import color_shape
from tests.fidelity.prompts import ClassificationLike, PromptCase, Scores, by_shape, draw_prompts, shuffle_prompts

FIRST_SEED, BATCH, HELD_OUT = 2000, 24, 600
PACKS = ("shapes-vqgan", "shapes-clip")


@dataclass(frozen=True, slots=True)
class CardRun:
    """How much to run."""

    prompts: int
    seeds: int
    iterations: int
    folder: Path
    """Where pictures are kept; of one `choice` only."""

    def cached(self, name: str, make: Callable[[], Pictures]) -> Pictures:
        """What `make` makes, square pictures; made now unless a run before has kept them under that name."""
        file = self.folder / f"{name}.png"
        if not file.exists():
            began = time.monotonic()
            made = Image.fromarray(np.concatenate(list(make()), 1))
            file.parent.mkdir(parents=True, exist_ok=True)
            made.save(part := file.with_suffix(".part"), "PNG")
            part.replace(file)
            print(f"{file}: {time.monotonic() - began:.0f} s", flush=True)
        strip = np.asarray(Image.open(file))
        return np.stack(np.split(strip, strip.shape[1] // strip.shape[0], 1))


def generate_batches(
    packs: LoadedPacks, asked: Sequence[PromptCase], *, bench: CardRun, seed: int, name: str, weight: str = ""
) -> Pictures:
    """Pictures of all asks, in batches."""
    prompts = [ask.prompt() + weight for ask in asked]
    batches = [prompts[start : start + BATCH] for start in range(0, len(prompts), BATCH)]

    def made(number: int) -> Pictures:
        return packs.generate(batches[number], iterations=bench.iterations, seed=seed + number)

    return np.concatenate([bench.cached(f"{name}-{i}", partial(made, i)) for i in range(len(batches))])


def sum_scores(parts: Sequence[Scores]) -> Scores:
    """All scores together."""
    first, *rest = parts
    for part in rest:
        first = first + part
    return first


def prompt_following(packs: LoadedPacks, judge: ShapeClassifier, bench: CardRun) -> dict[str, object]:
    """Prompt-following of both judges, and with the prompts swapped."""
    neural, hue, control = [], [], []
    everything_asked: list[PromptCase] = []
    everything_seen: list[ClassificationLike] = []
    for seed in range(FIRST_SEED, FIRST_SEED + bench.seeds):
        asked = draw_prompts(bench.prompts, seed)
        pictures = generate_batches(packs, asked, bench=bench, seed=seed, name=str(seed))
        seen = judge.verdicts(pictures)
        neural.append(Scores.of(asked, seen))
        hue.append(Scores.of(asked, [color_shape.classify(picture) for picture in pictures]))
        control.append(Scores.of(shuffle_prompts(asked), seen))
        everything_asked += asked
        everything_seen += seen
        print(seed, neural[-1], flush=True)
    return {
        "neuralJudge": sum_scores(neural).document(),
        "neuralJudgeByShape": by_shape(everything_asked, everything_seen),
        "classicalJudge": sum_scores(hue).document(),
        "promptsSwapped": sum_scores(control).document(),
    }


def negative_controls(packs: LoadedPacks, judge: ShapeClassifier, bench: CardRun) -> dict[str, object]:
    """What must not follow: a blank CLIP, and prompts with a negative weight."""
    asked = draw_prompts(BATCH, FIRST_SEED + 500)
    blank = generate_batches(packs.with_blank_perceptor(), asked, bench=bench, seed=1, name="blank")
    away = generate_batches(packs, asked, bench=bench, seed=2, name="away", weight=":-1")
    return {
        "blankClip": Scores.of(asked, judge.verdicts(blank)).document(),
        "negativeWeight": Scores.of(asked, judge.verdicts(away)).document(),
    }


def model_scores(packs: LoadedPacks) -> dict[str, object]:
    """Retrieval on plain single objects and PSNR on everything held out."""
    held_out = dataset.held_out_images(HELD_OUT)
    rows = held_out.rows
    single = np.flatnonzero((rows[:, vocabulary.COUNT] == 1) & (rows[:, vocabulary.STYLE] == 0))
    found = clip_model.retrieval_accuracy(
        packs.perceptor.network, negatives.downsample(held_out.images[single]), rows[single]
    )
    first_stage = FirstStage().eval()
    first_stage.load_state_dict(packs.generator.state_dict())
    return {
        "retrieval": {name: round(share, 3) for name, share in found.items()} | {"n": len(single)},
        "reconstructionPsnr": {"decibels": round(vqgan_training.psnr(first_stage, held_out.images), 2), "n": HELD_OUT},
    }


def write_card(card: dict[str, object], folder: Path) -> None:
    """Puts the card into both packs."""
    for name in PACKS:
        document = json.loads((folder / name / "pack.json").read_text())
        export.write_description(folder / name, document | {"card": card})


def cache_key(args: argparse.Namespace, packs: LoadedPacks) -> str:
    """A name for what pictures depend on: weights, numbers, precision, and the engine's programs."""
    files = [json.loads((args.packs / name / "pack.json").read_text())["files"] for name in PACKS]
    programs = export.code_digest(Path(module.__path__[0]) for module in (vqgan_clip, models))
    told = json.dumps([files, args.prompts, args.iterations, str(packs.precision), programs], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the shapes packs and write their model card.")
    parser.add_argument("--packs", type=Path, default=BUILTIN)
    parser.add_argument("--prompts", type=int, default=48)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=250)
    parser.add_argument(
        "--work", type=Path, default=default_work_folder() / "card", help="folder for cached guided images"
    )
    args = parser.parse_args()
    torch.set_num_threads(2)
    packs, judge = LoadedPacks.load(args.packs), load_or_train()
    bench = CardRun(args.prompts, args.seeds, args.iterations, args.work / cache_key(args, packs))
    card: dict[str, object] = {
        "measured": datetime.now(UTC).date().isoformat(),
        "command": "python -m bench.model_card",
        "prompts": bench.prompts,
        "seeds": list(range(FIRST_SEED, FIRST_SEED + bench.seeds)),
        "iterations": bench.iterations,
        "precision": str(packs.precision).removeprefix("torch."),
        "side": 64,
    }
    card |= model_scores(packs) | prompt_following(packs, judge, bench) | negative_controls(packs, judge, bench)
    write_card(card, args.packs)
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()

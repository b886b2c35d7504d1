"""
Trains the shapes packs from nothing and exports them: `compute_stage pack`.

Stages, each kept in the work folder: pictures → (vqgan ∥ learn → distinguish) → bank → harden → ground → settle →
recover → export. Every stage is bounded by steps and seeded. The two branches run as two processes with one torch
thread each; what follows them takes two threads. `--from` trains the last stage alone, on packs that are there.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import torch

from packs.shapes import clip_training, dataset, export, from_pack, negatives
from packs.shapes import vqgan_training as vqgan
from packs.shapes.first_stage import FirstStage
from packs.shapes.progress import progress_bar
from packs.shapes.stage_cache import StageCache, State

INDEPENDENT_STAGES: Final = ("learn", "distinguish")
"""CLIP stages that need nothing of the VQGAN."""


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """Everything that decides the weights, apart from the programs."""

    pictures: int = 28_000
    vqgan: vqgan.VqganTrainingConfig = field(default_factory=vqgan.VqganTrainingConfig)
    bank: negatives.BankPlan = field(default_factory=negatives.BankPlan)
    clip: tuple[clip_training.StageConfig, ...] = clip_training.STAGES

    def key(self, stage: str) -> tuple[object, ...]:
        """What a stage's tensors depend on."""
        if stage == "vqgan":
            return (self.pictures, self.vqgan)
        if stage == "bank":
            return (self.pictures, self.vqgan, self.bank)
        past = self.clip[: self.names.index(stage) + 1]
        return (self.pictures, *past) if stage in INDEPENDENT_STAGES else (self.pictures, self.vqgan, self.bank, *past)

    @property
    def names(self) -> list[str]:
        """Names of the CLIP stages in order."""
        return [plan.name for plan in self.clip]


@dataclass(frozen=True, slots=True)
class TrainingPipeline:
    """A recipe at work in a folder."""

    recipe: TrainingRecipe
    work: StageCache

    def pictures(self) -> dataset.ShapesDataset:
        """The training pictures, drawn on first use."""
        self.work.folder.mkdir(parents=True, exist_ok=True)
        return dataset.training_images(self.work.folder, self.recipe.pictures)

    def first_stage(self) -> FirstStage:
        """The trained first stage, frozen."""
        model = FirstStage()
        model.load_state_dict(self.work.load("vqgan"))
        return model.eval().requires_grad_(False)

    def run_stage(self, name: str) -> None:
        """Finishes one stage, or finds it finished."""
        self.work.get_or_compute(name, self.recipe.key(name), lambda: self.compute_stage(name))

    def compute_stage(self, name: str) -> State:
        """The tensors of one stage."""
        if name == "vqgan":
            with progress_bar(name, self.recipe.vqgan.steps) as report:
                return dict(vqgan.train(self.recipe.vqgan, self.pictures(), report).state_dict())
        if name == "bank":
            return negatives.make_bank(self.recipe.bank, self.first_stage(), self.pictures())
        return self.make_clip(self.recipe.names.index(name))

    def make_clip(self, index: int) -> State:
        """The tensors of one CLIP stage, from nothing or from the stage before it."""
        plan, pictures = self.recipe.clip[index], self.pictures()
        trainer = clip_training.ClipTrainer(plan, pictures)
        if index:
            trainer.start_from(self.work.load(self.recipe.clip[index - 1].name))
        if plan.name not in INDEPENDENT_STAGES:
            policy = negatives.OnPolicyPool(
                self.first_stage(), pictures, rates=plan.policy_rates, steps=plan.policy_steps, seed=plan.seed
            )
            trainer.extras = clip_training.NegativeSources(self.work.load("bank"), policy)
        with progress_bar(plan.name, plan.steps) as report:
            return clip_training.train(trainer, report)

    def import_packs(self, packs: Path) -> None:
        """Takes the stages before the last from finished packs, whose attribute heads learn anew."""
        before = self.recipe.clip[-2]
        self.work.get_or_compute(
            "vqgan", self.recipe.key("vqgan"), lambda: from_pack.load_tensors(packs / "shapes-vqgan")
        )
        trainer = clip_training.ClipTrainer(before, self.pictures())
        self.work.get_or_compute(
            before.name, self.recipe.key(before.name), lambda: from_pack.stage_from_pack(packs / "shapes-clip", trainer)
        )

    def continue_from(self, packs: Path, out: Path) -> None:
        """Trains the last stage on finished packs and writes the new CLIP below `out`; the VQGAN stays as it is."""
        self.import_packs(packs)
        last = self.recipe.names[-1]
        for name in ("bank", last):
            self.run_stage(name)
        own = {
            "recipe": "python -m packs.shapes.train --from",
            "continues": from_pack.training_record(packs / "shapes-clip"),
        }
        export.export_clip(out, self.work.load(last), training=self.training(["bank", last]) | own)

    def export(self, out: Path) -> None:
        """Writes both packs below `out`."""
        training = self.training(["vqgan", "bank", *self.recipe.names])
        export.export_vqgan(out, self.work.load("vqgan"), training=training)
        export.export_clip(out, self.work.load(self.recipe.names[-1]), training=training)

    def training(self, stages: Sequence[str]) -> dict[str, object]:
        """The record of those stages for `pack.json`."""
        seeds = {"vqgan": self.recipe.vqgan.seed} | {plan.name: plan.seed for plan in self.recipe.clip}
        steps = {"vqgan": self.recipe.vqgan.steps} | {plan.name: plan.steps for plan in self.recipe.clip}
        return {
            "recipe": "make pack",
            "pictures": self.recipe.pictures,
            "seeds": {name: seed for name, seed in seeds.items() if name in stages},
            "steps": {name: count for name, count in steps.items() if name in stages},
            "seconds": {name: int(self.work.metadata(name)["seconds"]) for name in stages},
            "codeDigest": export.code_digest([Path(__file__).parent]),
            "versions": {name: importlib.metadata.version(name) for name in ("torch", "numpy", "openai-clip")},
            "date": datetime.now(UTC).date().isoformat(),
        }


def spawn_stages(stages: Sequence[str], work: Path) -> subprocess.Popen[bytes]:
    """Another process that finishes the given stages with one torch thread."""
    command = [sys.executable, "-m", "packs.shapes.train", "--work", str(work), "--only", ",".join(stages)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"})


def run_branches(run: TrainingPipeline) -> None:
    """Trains the VQGAN and the first CLIP stages side by side. Raises RuntimeError when one of them fails."""
    run.pictures()
    branches = [spawn_stages(["vqgan"], run.work.folder), spawn_stages(INDEPENDENT_STAGES, run.work.folder)]
    ends = [branch.wait() for branch in branches]
    if any(ends):
        raise RuntimeError(
            "a training branch failed; see the output above; `make pack` resumes from the last finished stage"
        )


def default_work_folder() -> Path:
    """The work folder in the user's cache."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "videojob" / "packs" / "shapes"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train and export the shapes packs.")
    parser.add_argument("--out", type=Path, help="output folder for shapes-vqgan/ and shapes-clip/")
    parser.add_argument("--work", type=Path, default=default_work_folder(), help="folder for finished stages")
    parser.add_argument("--only", default="", help="comma-separated stages to finish in this process, without export")
    parser.add_argument(
        "--from", dest="packs", type=Path, help="folder with finished packs; continues training their last stage"
    )
    args = parser.parse_args()
    if args.packs and (args.only or not args.out):
        parser.error("--from needs --out and cannot be combined with --only")
    if args.packs:
        torch.set_num_threads(2)
        TrainingPipeline(TrainingRecipe(), StageCache(args.work / "continued")).continue_from(args.packs, args.out)
        return
    run = TrainingPipeline(TrainingRecipe(), StageCache(args.work))
    if args.only:
        torch.set_num_threads(1 if set(args.only.split(",")) <= {"vqgan", *INDEPENDENT_STAGES} else 2)
        for name in args.only.split(","):
            run.run_stage(name)
        return
    run_branches(run)
    torch.set_num_threads(2)
    for name in ("bank", *run.recipe.names[len(INDEPENDENT_STAGES) :]):
        run.run_stage(name)
    if args.out:
        run.export(args.out)


if __name__ == "__main__":
    main()

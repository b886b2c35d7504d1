"""
Trains the shapes packs from nothing and exports them: `make pack`.

Stages, each kept in the work folder: pictures → (vqgan ∥ learn) → bank → harden → ground → export. `--only` runs a
single stage in this process; without it the two independent stages run as processes of their own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from packs.shapes import clip_stages, dataset, negatives, vqgan
from packs.shapes.first_stage import FirstStage
from packs.shapes.progress import shown
from packs.shapes.stages import State, Work

PICTURES = 28_000


def load_first_stage(work: Work) -> FirstStage:
    """The trained first stage, frozen."""
    first_stage = FirstStage()
    first_stage.load_state_dict(work.load("vqgan"))
    return first_stage.eval().requires_grad_(False)


def run_vqgan(work: Work, pictures: dataset.Pictures, plan: vqgan.Plan) -> None:
    """The stage `vqgan`."""

    def make() -> State:
        with shown("vqgan", plan.steps) as report:
            return dict(vqgan.train(plan, pictures, report).state_dict())

    work.finish("vqgan", plan, make)


def run_bank(work: Work, pictures: dataset.Pictures, plan: negatives.BankPlan) -> None:
    """The stage `bank`."""
    work.finish("bank", plan, lambda: negatives.make_bank(plan, load_first_stage(work), pictures))


def run_clip(work: Work, pictures: dataset.Pictures, plan: clip_stages.Plan, *, after: str | None) -> None:
    """One CLIP stage, from nothing or from the stage `after`."""

    def make() -> State:
        trainer = clip_stages.Trainer(plan, pictures)
        if after:
            trainer.start_from(work.load(after))
            policy = negatives.OnPolicy(load_first_stage(work), pictures, rates=plan.policy_rates, seed=plan.seed)
            trainer.extras = clip_stages.Extras(work.load("bank"), policy)
        with shown(plan.name, plan.steps) as report:
            return clip_stages.train(trainer, report)

    work.finish(plan.name, plan, make)


def run(stage: str, work: Work) -> None:
    """One stage by name."""
    pictures = dataset.training_pictures(work.folder, PICTURES)
    match stage:
        case "vqgan":
            run_vqgan(work, pictures, vqgan.Plan())
        case "bank":
            run_bank(work, pictures, negatives.BankPlan())
        case "learn":
            run_clip(work, pictures, clip_stages.LEARN, after=None)
        case "harden":
            run_clip(work, pictures, clip_stages.HARDEN, after="learn")
        case _:
            run_clip(work, pictures, clip_stages.GROUND, after="harden")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    for s in a.only.split(","):
        run(s, Work(a.work))

"""The whole training in small: every stage runs a few steps, is remembered, and ends in packs that load."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from clip.model import build_model
from safetensors.torch import load_file

from packs.shapes import clip_training, negatives, vqgan_training
from packs.shapes.dataset import ShapesDataset
from packs.shapes.first_stage import FirstStage
from packs.shapes.renderer import render_chunk
from packs.shapes.stage_cache import StageCache
from packs.shapes.train import INDEPENDENT_STAGES, TrainingPipeline, TrainingRecipe


def short(plan: clip_training.StageConfig) -> clip_training.StageConfig:
    return replace(plan, steps=2, batch=16, policy_every=2 if plan.policy_every else 0, policy_steps=(1, 1))


SHORT = TrainingRecipe(
    pictures=96,
    vqgan=vqgan_training.VqganTrainingConfig(steps=2, batch=4, founding_batches=1),
    bank=negatives.BankPlan(reconstructions=24, scrambled=8),
    clip=tuple(short(plan) for plan in clip_training.STAGES),
)
STAGES = ("vqgan", "bank", *SHORT.names)
LATER = SHORT.names[len(INDEPENDENT_STAGES) :]
"""CLIP stages that look at the VQGAN's pictures."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> TrainingPipeline:
    run = TrainingPipeline(SHORT, StageCache(tmp_path_factory.mktemp("work")))
    for stage in (*INDEPENDENT_STAGES, "vqgan", "bank", *LATER):
        run.run_stage(stage)
    run.export(run.work.folder / "out")
    return run


@pytest.fixture(scope="module")
def pictures() -> ShapesDataset:
    return ShapesDataset(*render_chunk(1, 96))


def falls(losses: Sequence[float]) -> bool:
    half = len(losses) // 2
    return float(np.mean(losses[half:])) < float(np.mean(losses[:half]))


def test_every_stage_leaves_a_file_and_is_not_trained_again(finished: TrainingPipeline) -> None:
    before = {stage: finished.work.file(stage).stat().st_mtime_ns for stage in STAGES}
    for stage in STAGES:
        finished.run_stage(stage)
    assert {stage: finished.work.file(stage).stat().st_mtime_ns for stage in STAGES} == before


def test_another_plan_makes_a_stage_and_those_after_it_stale(finished: TrainingPipeline) -> None:
    longer = replace(SHORT, clip=(replace(SHORT.clip[0], steps=3), *SHORT.clip[1:]))
    stale = [stage for stage in STAGES if not finished.work.has(stage, longer.key(stage))]
    assert stale == ["learn", "distinguish", *LATER]


def test_another_codebook_makes_the_bank_stale_but_not_the_first_clip_stages(finished: TrainingPipeline) -> None:
    other = replace(SHORT, vqgan=replace(SHORT.vqgan, seed=9))
    stale = [stage for stage in STAGES if not finished.work.has(stage, other.key(stage))]
    assert stale == ["vqgan", "bank", *LATER]


def test_the_exported_files_load_into_taming_s_names_and_openai_s_builder(finished: TrainingPipeline) -> None:
    out = finished.work.folder / "out"
    drawing = load_file(out / "shapes-vqgan" / "weights.safetensors")
    FirstStage().load_state_dict({name: tensor.float() for name, tensor in drawing.items()})
    seeing = build_model(load_file(out / "shapes-clip" / "weights.safetensors")).float()
    assert seeing.visual.input_resolution == 64


def test_the_packs_record_how_they_were_made(finished: TrainingPipeline) -> None:
    for name in ("shapes-vqgan", "shapes-clip"):
        training = json.loads((finished.work.folder / "out" / name / "pack.json").read_text())["training"]
        assert training["steps"] == dict.fromkeys(("vqgan", *SHORT.names), 2)
        assert len(training["codeDigest"]) == 64 and set(training["seconds"]) == set(STAGES)


def test_a_stage_goes_on_from_finished_packs(finished: TrainingPipeline, tmp_path: Path) -> None:
    out, before = tmp_path / "out", finished.work.folder / "out"
    TrainingPipeline(SHORT, StageCache(tmp_path)).continue_from(before, out)
    assert [folder.name for folder in out.iterdir()] == ["shapes-clip"]
    old, new = (load_file(folder / "shapes-clip" / "weights.safetensors") for folder in (before, out))
    assert {name: t.shape for name, t in old.items()} == {name: t.shape for name, t in new.items()}
    assert not torch.equal(old["visual.conv1.weight"], new["visual.conv1.weight"])
    training = json.loads((out / "shapes-clip" / "pack.json").read_text())["training"]
    assert set(training["steps"]) == {"recover"} and set(training["seconds"]) == {"bank", "recover"}
    digest = hashlib.sha256((before / "shapes-clip" / "weights.safetensors").read_bytes()).hexdigest()
    assert training["continues"]["sha256"] == digest


def test_half_of_the_scenes_are_hidden_in_part_by_what_fools(
    pictures: ShapesDataset, finished: TrainingPipeline
) -> None:
    plan = replace(clip_training.OCCLUSION, batch=48)
    first_stage = finished.first_stage()
    policy = negatives.OnPolicyPool(first_stage, pictures, rates=(0.5,), steps=(1, 1), seed=1)
    policy.pool.append(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    trainer = clip_training.ClipTrainer(
        plan, pictures, clip_training.NegativeSources(finished.work.load("bank"), policy)
    )
    darkness = 1 - trainer.blend_negatives(torch.ones(40, 3, 64, 64)).mean((1, 2, 3))
    assert (darkness[20:] == 0).all() and ((darkness[:20] >= 0) & (darkness[:20] <= 0.65)).all()
    assert float(darkness[:20].max()) > 0.5 and float(darkness[:20].min()) < 0.15


@torch.no_grad()
def first_loss(first_stage: FirstStage, images: torch.Tensor) -> float:
    """Of reconstructions through the codebook."""
    snapped, _, _ = first_stage.quantize(first_stage.encode(images))
    return float(vqgan_training.reconstruction_loss(first_stage.decode(snapped), images))


def test_the_first_stage_learns_in_a_dozen_steps(pictures: ShapesDataset) -> None:
    trainer = vqgan_training.VqganTrainer(
        vqgan_training.VqganTrainingConfig(steps=14, batch=4, warm_up=2, reseed_every=4, founding_batches=1), pictures
    )
    images = vqgan_training.random_crops(
        pictures, 16, np.random.default_rng(5)
    )  # batches of four differ by more than they learn
    before = first_loss(trainer.model, images)
    for number in range(14):
        trainer.step(number)
    assert first_loss(trainer.model, images) < 0.9 * before
    assert trainer.model.codebook.std() > 0.01  # k-means has replaced the start of ±1/K


def test_the_clip_learns_in_a_dozen_steps(pictures: ShapesDataset) -> None:
    plan = replace(clip_training.PRETRAIN, steps=14, batch=24)
    trainer = clip_training.ClipTrainer(plan, pictures)
    assert falls([trainer.step(number) for number in range(14)])


def test_an_adversarial_step_stays_within_its_length_and_raises_the_loss(pictures: ShapesDataset) -> None:
    trainer = clip_training.ClipTrainer(replace(clip_training.PRETRAIN, steps=20, batch=24), pictures)
    for number in range(6):
        trainer.step(number)
    batch = trainer.batch(0.5)
    with torch.no_grad():
        texts = torch.nn.functional.normalize(torch.randn(len(batch.tokens), 128), dim=1)
    moved = trainer.adversarial_step(batch, texts, 3.0)
    assert float((moved - batch.images).flatten(1).norm(dim=1).max()) <= 3.0 + 1e-3
    with torch.no_grad():
        assert trainer.loss(moved, batch, texts) > trainer.loss(batch.images, batch, texts)


def test_captions_stand_only_for_pictures_that_have_any(pictures: ShapesDataset) -> None:
    batch = clip_training.ClipTrainer(
        replace(clip_training.PRETRAIN, batch=48, easy_until=0, mixed_until=0), pictures
    ).batch(1.0)
    labelled = batch.rows[:, 5] >= 0
    assert len(batch.tokens) == int(labelled.sum())
    assert batch.matches.any(1).all() and not batch.matches[:, ~labelled].any()


def test_k_means_finds_separate_clusters() -> None:
    rng = torch.Generator().manual_seed(0)
    truth = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    points = truth.repeat(40, 1) + 0.05 * torch.randn(120, 2, generator=rng)
    found = vqgan_training.kmeans(points, centres=3, rounds=25, rng=rng)
    assert torch.cdist(truth, found).min(1).values.max() < 0.1


def test_scrambled_tokens_keep_the_grid_and_change_most_of_it() -> None:
    rng = torch.Generator().manual_seed(1)
    first_stage = FirstStage()
    codes = torch.randint(1024, (30, 16, 16), generator=rng)
    mixed = negatives.scramble_tokens(first_stage, codes, rng)
    assert mixed.shape == codes.shape
    assert float((mixed != codes).float().mean((1, 2)).min()) > 0.25

"""Whole runs of the engine on packs of random weights: forms, starts, repeatability, interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image
from videojob_api.pipelines.vqgan_clip import CutMethod
from videojob_runner.engine.api import Engine, TaskResult
from videojob_runner.engines.vqgan_clip import VqganClip, VqganClipConfig
from videojob_runner.errors import BadConfig, BadInput, Interrupted

from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, FakeModelResolver, HarnessFactory
from tests.unit.runner.tiny_packs import ARCHITECTURE, vqgan_tensors, write_pack

VIDEO = {"prompts": "a ^ b", "frames": 4, "iterationsPerFrame": 2, "iterationsForFirstFrame": 3}
ZOOM = {**VIDEO, "zoom": 1.1, "shiftX": 2}
SMOOTH = {**ZOOM, "rotate": 3, "smoother": {"length": 3}}


def run(world: EngineHarness, **fields: Any) -> TaskResult:
    config = VqganClipConfig.model_validate({"width": 16, "height": 16, **fields})
    engine: Engine[VqganClipConfig] = VqganClip()
    [render] = engine.tasks(config)
    return render.run(world.context())


def test_one_image_is_one_frame_and_every_iteration_is_reported(world: HarnessFactory) -> None:
    w = world()
    outcome = run(w, width=25, height=18, image={"prompts": "a red circle | blue:-0.5", "iterations": 5})
    assert outcome.frames == 1
    assert w.frames.pixels[0].shape == (16, 24, 3)
    assert (w.frames.texts[0]["text_prompts"], w.frames.texts[0]["seed"]) == ("a red circle | blue", "7")
    assert w.progress.reports == [(done, 5, "frame 1 of 1") for done in range(1, 6)]
    assert outcome.metrics == {"loss": w.progress.losses[-1]}


def test_the_loss_falls(world: HarnessFactory) -> None:
    w = world()
    run(w, cutMethod="original", learningRate=0.05, image={"prompts": "a red circle", "iterations": 40})
    assert np.mean(w.progress.losses[-5:]) < np.mean(w.progress.losses[:5]) - 0.01


def test_an_image_is_also_kept_every_so_many_iterations_and_at_the_end(world: HarnessFactory) -> None:
    w, whole = world(), world()
    # Steps large enough to leave the nearest code: small ones may decode to the same picture twice.
    assert run(w, learningRate=1.0, image={"prompts": "x", "iterations": 5, "saveEvery": 2}).frames == 3
    run(whole, learningRate=1.0, image={"prompts": "x", "iterations": 5})
    assert len(set(w.pictures())) == 3
    assert w.pictures()[-1:] == whole.pictures()


@pytest.mark.parametrize(
    ("form", "frames"),
    [
        ({"image": {"prompts": "x", "iterations": 6, "saveEvery": 2}}, 3),
        ({"image": {"prompts": "x", "iterations": 7, "saveEvery": 2}}, 4),
        ({"image": {"prompts": "x", "iterations": 2, "saveEvery": 3}}, 1),
        ({"image": {"prompts": "x", "iterations": 3}}, 1),
        ({"timelapse": {"prompts": "x", "iterations": 3, "titleSeconds": 0}}, 4),
        ({"video": {"prompts": "x", "frames": 2, "iterationsPerFrame": 2, "iterationsForFirstFrame": 1}}, 2),
    ],
)
def test_as_many_frames_are_written_as_the_configuration_says(
    world: HarnessFactory, form: dict[str, Any], frames: int
) -> None:
    w = world()
    assert run(w, **form).frames == frames
    assert sorted(w.frames.pixels) == list(range(frames))
    assert VqganClipConfig.model_validate(form).frame_count() == frames


def test_a_video_has_its_frames_and_its_phrases(world: HarnessFactory) -> None:
    w = world()
    assert run(w, video=VIDEO).frames == 4
    assert sorted(w.frames.pixels) == [0, 1, 2, 3]
    assert [w.frames.texts[index]["text_prompts"] for index in range(4)] == ["a", "a", "b", "b"]
    assert [done for done, _, _ in w.progress.reports] == list(range(1, 12))
    assert w.progress.reports[4] == (5, 11, "frame 1 of 4")
    assert w.progress.reports[5] == (6, 11, "frame 2 of 4")


def test_without_camera_movement_a_video_goes_on_where_the_image_form_would(world: HarnessFactory) -> None:
    video, image = world(), world()
    run(video, video={**VIDEO, "prompts": "a"})
    run(image, image={"prompts": "a", "iterations": 11})
    assert video.pictures()[-1:] == image.pictures()


def test_a_pack_can_ask_for_noise_where_the_phrase_changes(
    world: HarnessFactory, tmp_path: Path, perceptor_folder: Path
) -> None:
    options = {"kind": "vqgan", "architecture": ARCHITECTURE, "defaults": {"phraseNoise": 2}}
    noisy = write_pack(tmp_path / "tiny-vqgan", vqgan_tensors(), **options)
    plain, shaken = world(), world()
    shaken.models = FakeModelResolver(noisy, perceptor_folder)
    for w in (plain, shaken):
        run(w, video=VIDEO)
    assert shaken.pictures()[:2] == plain.pictures()[:2]
    assert shaken.pictures()[2] != plain.pictures()[2]


def test_the_camera_moves_between_frames_but_not_before_the_first(world: HarnessFactory) -> None:
    still, moving = world(), world()
    run(still, video=VIDEO)
    run(moving, video=ZOOM)
    assert still.pictures()[0] == moving.pictures()[0]
    assert still.pictures()[1] != moving.pictures()[1]


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(world: HarnessFactory) -> None:
    runs = [world(), world(), world(seed=8)]
    for w in runs:
        run(w, video=ZOOM)
    assert runs[0].pictures() == runs[1].pictures()
    assert runs[0].pictures()[0] != runs[2].pictures()[0]


def test_a_run_neither_reads_nor_moves_the_global_random_state(world: HarnessFactory) -> None:
    first, second = world(), world()
    torch.manual_seed(1)
    run(first, video=ZOOM)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    run(second, video=ZOOM)
    assert torch.equal(before, torch.get_rng_state())
    assert first.pictures() == second.pictures()


@pytest.mark.parametrize(("form", "stopped_after"), [(VIDEO, 6), (ZOOM, 1), (ZOOM, 5), (ZOOM, 10), (SMOOTH, 7)])
def test_an_interrupted_run_goes_on_to_the_very_same_bytes(
    world: HarnessFactory, form: dict[str, Any], stopped_after: int
) -> None:
    undisturbed, w = world(), world(interrupted_after=stopped_after)
    run(undisturbed, video=form)
    with pytest.raises(Interrupted):
        run(w, video=form)
    assert w.progress.reports[-1][0] == stopped_after
    w.interrupted_after = None
    assert run(w, video=form).frames == 4
    assert [done for done, _, _ in w.progress.reports] == list(range(1, 12))
    assert w.pictures() == undisturbed.pictures()


@pytest.mark.parametrize("compat", [{}, {"compat": "upstream"}])
@pytest.mark.parametrize("method", get_args(CutMethod))
def test_every_cut_method_runs_on_pictures_larger_than_what_clip_sees(
    world: HarnessFactory, method: str, compat: dict[str, str]
) -> None:
    w = world()
    run(w, width=48, height=40, cutMethod=method, **compat, image={"prompts": "x", "iterations": 2})
    assert w.frames.pixels[0].shape == (40, 48, 3)


def test_augments_are_those_of_the_job(world: HarnessFactory) -> None:
    last = {"learningRate": 1.0, "cutMethod": "latest", "image": {"prompts": "x", "iterations": 3}}
    usual, same, other, none = world(), world(), world(), world()
    run(usual, **last)
    run(same, augments=["Af", "Pe", "Ji", "Er"], **last)
    run(other, augments=["Ts", "Gn"], **last)
    run(none, augments=[], **last)
    assert usual.pictures() == same.pictures()
    assert len({w.pictures()[0] for w in (usual, other, none)}) == 3


def test_an_init_image_is_stretched_encoded_and_skips_the_lead(world: HarnessFactory) -> None:
    w = world()
    Image.new("RGB", (40, 10), (250, 20, 20)).save(w.folder / "seed.png")
    assert run(w, initImage="seed.png", video=VIDEO).frames == 4
    assert len(w.progress.reports) == 8
    plain = world()
    run(plain, video={**VIDEO, "iterationsForFirstFrame": 0})
    assert w.pictures() != plain.pictures()


def test_gray_and_random_starts_differ_and_gray_depends_on_no_seed(world: HarnessFactory) -> None:
    once = {"timelapse": {"prompts": "a", "iterations": 1}}
    worlds = {(start, seed): world(seed=seed) for start in ("gray", "random") for seed in (1, 2)}
    for (start, _), w in worlds.items():
        run(w, start=start, **once)
    shown = {key: w.pictures()[0] for key, w in worlds.items()}
    assert shown["gray", 1] == shown["gray", 2]
    assert len({shown["gray", 1], shown["random", 1], shown["random", 2]}) == 3


def test_whoever_watches_sees_each_step_of_a_single_picture(world: HarnessFactory) -> None:
    w, two = world(), world()
    run(w, image={"prompts": "x", "iterations": 3})
    run(two, image={"prompts": "x", "iterations": 2})
    assert [picture.shape for picture in w.watcher.shown] == [(16, 16, 3)] * 3
    assert (w.watcher.shown[2] == two.frames.pixels[0]).all(), "what the third step saw is what two steps have made"


def test_what_made_the_frames_is_noted(world: HarnessFactory) -> None:
    w = world()
    run(w, image={"prompts": "x", "iterations": 1})
    assert w.versions["generator"].startswith("tiny-vqgan@sha256:")
    assert w.versions["perceptor"].startswith("tiny-clip@sha256:")
    assert w.versions["precision"] == "float32"
    assert {"kornia", "openai-clip", "taming-transformers"} <= w.versions.keys()


def with_flags(monkeypatch: pytest.MonkeyPatch, **flags: bool) -> None:
    """Has the processor say that it can do what `flags` name, and nothing else."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, **flags})


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_job_can_ask_for_the_shorter_precision(
    world: HarnessFactory, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    with_flags(monkeypatch, **{flag: True})
    usual, shorter = world(), world()
    form = {"prompts": "x", "iterations": 3}
    run(usual, image=form)
    run(shorter, image=form, precision="bfloat16")
    assert shorter.versions["precision"] == "bfloat16"
    assert shorter.progress.losses != usual.progress.losses
    assert shorter.progress.losses == pytest.approx(usual.progress.losses, rel=0.02)


def test_a_processor_that_would_imitate_bfloat16_is_not_asked_to(
    world: HarnessFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes some hundred times float32's time, in which a job looks as if it stood still."""
    with_flags(monkeypatch, avx512_bf16=False)
    with pytest.raises(BadConfig, match=r"precision: .*cpu has no native bfloat16 support.*use float32"):
        run(world(), image={"prompts": "x", "iterations": 1}, precision="bfloat16")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"image": {"prompts": "a|b:"}}, "image.prompts.*character 4"),
        ({"image": {"prompts": " | "}}, "image.prompts: no valid prompts"),
        ({"image": {"prompts": "a ^ b"}}, "still image"),
        ({"image": {"prompts": "word " * 80}}, "image.prompts.*77 tokens"),
        ({"video": {"prompts": "a^b^c", "frames": 2}}, "3 phrases cannot share 2 frames"),
    ],
)
def test_a_bad_configuration_names_its_field(world: HarnessFactory, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        run(world(), **fields)


def test_an_init_image_that_is_none_is_bad_input(world: HarnessFactory) -> None:
    w = world()
    (w.folder / "seed.png").write_bytes(b"not a picture")
    with pytest.raises(BadInput, match=r"initImage.*not a readable image"):
        run(w, initImage="seed.png", image={"prompts": "x"})


def test_warming_up_loads_both_packs(world: HarnessFactory, tmp_path: Path) -> None:
    w = world()
    VqganClip().warm_up(w.models, device="cpu")
    with pytest.raises(BadInput, match=r"pack\.json"):
        VqganClip().warm_up(FakeModelResolver(w.models.generator, tmp_path), device="cpu")

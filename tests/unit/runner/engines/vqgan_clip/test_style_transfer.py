"""The form `styleTransfer`: sources, what holds each frame, the restyle preset, resuming (specification §4.4, §4.6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from videojob_runner.engine.api import TaskResult
from videojob_runner.engines.vqgan_clip import VqganClip, VqganClipConfig
from videojob_runner.engines.vqgan_clip.settings import init_weight, output_size
from videojob_runner.engines.vqgan_clip.video.source_frames import list_images, natural_sort_key
from videojob_runner.errors import BadConfig, BadInput, Interrupted
from videojob_runner.media.encode import VideoEncoding, write_mp4
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.images import to_pixels, to_tensor

from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, HarnessFactory

STYLE: dict[str, Any] = {"prompts": "a", "source": "film", "iterationsPerFrame": 2, "iterationsForFirstFrame": 3}
FREE = {"sourceWeight": 0}


def config(**fields: Any) -> VqganClipConfig:
    return VqganClipConfig.model_validate({"width": 16, "height": 16, "learningRate": 0.5, **fields})


def run(w: EngineHarness, *, compat: str | None = None, rate: float = 0.5, **form: Any) -> TaskResult:
    fields = {"styleTransfer": STYLE | form, "compat": compat, "learningRate": rate}
    return VqganClip().run(config(**fields), w.context())


def with_film(
    w: EngineHarness, *, frames: int = 3, size: tuple[int, int] = (16, 16), name: str = "film"
) -> EngineHarness:
    """The world with a folder of noisy pictures, the same every time."""
    draws = np.random.default_rng(0)
    (w.folder / name).mkdir(parents=True)
    for index in range(frames):
        noise = draws.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(noise).save(w.folder / name / f"{index}.png")
    return w


def test_there_is_a_frame_for_each_source_after_as_many_iterations_and_a_lead(world: HarnessFactory) -> None:
    w = with_film(world())
    assert run(w).frames == 3
    assert w.progress.reports[-1] == (9, 9, "frame 3 of 3")
    assert len(set(w.pictures())) == 3


@pytest.mark.parametrize(("form", "total"), [({}, 30 + 15), ({"restyle": {}}, 30), ({"frames": 1}, 15 + 15)])
def test_the_lead_is_as_long_as_a_frame_unless_said_otherwise(
    world: HarnessFactory, form: dict[str, Any], total: int
) -> None:
    w = with_film(world(), frames=2)
    style = {"prompts": "a", "source": "film", **form}
    VqganClip().run(config(styleTransfer=style), w.context())
    assert w.progress.reports[-1][1] == total


def test_a_source_that_weighs_a_lot_is_hardly_changed_and_each_frame_keeps_to_its_own(
    world: HarnessFactory, generator_folder: Path
) -> None:
    """What is far above all prompts is the source as the generator can show it."""
    w = with_film(world())
    run(w, sourceWeight=1000, rate=0.1, iterationsPerFrame=40)
    generator = Vqgan.load(Pack.open(generator_folder, kind="vqgan"), device="cpu")

    def reconstruction(index: int) -> np.ndarray[Any, Any]:
        with Image.open(w.folder / "film" / f"{index}.png") as image, torch.no_grad():
            latent = generator.encode(to_tensor(np.asarray(image)) * 2 - 1)
            codes = torch.cdist(latent[0].flatten(1).T, generator.codebook).argmin(1)
            snapped = generator.codebook[codes].T.reshape(latent.shape)
            return to_pixels((generator.decode(snapped) + 1) / 2).astype(float)

    shown = [w.frames.pixels[index].astype(float) for index in range(3)]
    apart = np.array([[np.abs(frame - reconstruction(index)).mean() for index in range(3)] for frame in shown])
    assert (apart.argmin(axis=1) == np.arange(3)).all()


def test_without_weight_a_source_acts_by_what_moves_in_it_alone_unless_it_is_a_prompt(world: HarnessFactory) -> None:
    still = np.random.default_rng(0).integers(0, 200, (16, 16, 3), dtype=np.uint8)
    brighter, red = still + np.uint8(20), np.full_like(still, (250, 10, 10))

    def frames(third: np.ndarray[Any, Any], **form: Any) -> list[bytes]:
        w = with_film(world())
        for index, picture in enumerate((still, still, third)):
            Image.fromarray(picture).save(w.folder / "film" / f"{index}.png")
        run(w, **form)
        return w.pictures()

    assert frames(still, **FREE) == frames(brighter, **FREE)
    for held in ({"sourceWeight": 2}, FREE | {"sourcePromptWeight": 0.5}):
        first, second = frames(still, **held), frames(red, **held)
        assert first[:2] == second[:2]
        assert first[2] != second[2]


@pytest.mark.parametrize("compat", [None, "upstream"])
def test_what_was_made_moves_along_with_its_source_but_for_the_original(
    world: HarnessFactory, generator_folder: Path, compat: str | None
) -> None:
    """Hardly trained: with a source two cells further right, so is what is shown; the original's stays in place."""
    shift = 2 * Vqgan.load(Pack.open(generator_folder, kind="vqgan"), device="cpu").factor
    w = with_film(world(), size=(64, 16))
    with Image.open(w.folder / "film" / "0.png") as image:
        Image.fromarray(np.roll(np.asarray(image), shift, axis=1)).save(w.folder / "film" / "1.png")
    form = FREE | {"frames": 2, "iterationsForFirstFrame": 0, "iterationsPerFrame": 1, "source": "film"}
    fields = {"width": 64, "height": 16, "learningRate": 1e-6, "compat": compat, "styleTransfer": STYLE | form}
    VqganClip().run(VqganClipConfig.model_validate(fields), w.context())
    first, second = (w.frames.pixels[index].astype(float) for index in (0, 1))
    moved, stayed = np.abs(second[:, shift:] - first[:, :-shift]).mean(), np.abs(second - first).mean()
    assert moved < stayed if compat is None else stayed < moved


def test_q_32_the_fading_weight_can_be_had() -> None:
    fading = init_weight(config(styleTransfer=STYLE | {"sourceWeightFades": True}))
    steady = init_weight(config(styleTransfer=STYLE))
    assert (steady.weight, steady.method, fading.method) == (2, "target", "targetDecay")
    assert [fading.factor(age) for age in (1, 2)] == pytest.approx([10 / 3, 2])
    assert steady.factor(7) == 1
    assert not init_weight(config(styleTransfer=STYLE | {"restyle": {}})).is_active


def test_a_source_whose_layout_weighs_is_not_held_by_its_colours_unless_asked() -> None:
    assert not init_weight(config(styleTransfer=STYLE | {"sourceLayoutWeight": 3})).is_active
    assert init_weight(config(styleTransfer=STYLE | {"sourceLayoutWeight": 3, "sourceWeight": 1})).weight == 1


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"sourcePromptWeight": 0.5, "sourceWeightFades": True, "smoother": {"length": 3}},
        {"restyle": {"blend": 0.3, "previousPromptWeight": 0.4}, "sourceWeight": 1},
        {"sourceLayoutWeight": 3, "start": "gray"},
    ],
)
@pytest.mark.parametrize("stopped_after", [2, 3, 6])
def test_an_interrupted_transfer_goes_on_to_the_very_same_bytes(
    world: HarnessFactory, form: dict[str, Any], stopped_after: int
) -> None:
    undisturbed, w = with_film(world()), with_film(world(interrupted_after=stopped_after))
    run(undisturbed, **form)
    with pytest.raises(Interrupted):
        run(w, **form)
    w.interrupted_after = None
    assert run(w, **form).frames == 3
    assert w.pictures() == undisturbed.pictures()


def test_restyled_frames_depend_on_the_one_before_by_their_blend_only(world: HarnessFactory) -> None:
    """Without a blend a frame with the same source and cutouts would be the same; with one it is not."""

    def frames(first: int, **restyle: Any) -> list[bytes]:
        w = with_film(world())
        Image.new("RGB", (16, 16), (first, first, first)).save(w.folder / "film" / "0.png")
        run(w, restyle=restyle, iterationsForFirstFrame=0)
        return w.pictures()

    assert frames(0, blend=0)[1:] == frames(255, blend=0)[1:]
    assert frames(0, blend=0.9)[1] != frames(255, blend=0.9)[1]
    assert frames(0, blend=0, previousPromptWeight=1)[1] != frames(255, blend=0, previousPromptWeight=1)[1]


def test_phrases_share_the_sources_or_change_where_they_are_told_to(world: HarnessFactory) -> None:
    def phrases(**form: Any) -> list[str]:
        w = with_film(world(), frames=4)
        run(w, prompts="a ^ b", **form)
        return [w.frames.texts[index]["text_prompts"] for index in range(4)]

    assert phrases() == ["a", "a", "b", "b"]
    assert phrases(changePromptsOnFrame=[2]) == ["a", "b", "b", "b"]
    with pytest.raises(BadConfig, match="5 phrases cannot share the source's 3 frames"):
        run(with_film(world()), prompts="a^b^c^d^e")


def test_q_27_a_style_transfer_changes_prompts_on_the_frame_in_the_original_too(world: HarnessFactory) -> None:
    w = with_film(world())
    run(w, compat="upstream", prompts="a ^ b", changePromptsOnFrame=[2])
    assert [w.frames.texts[index]["text_prompts"] for index in range(3)] == ["a", "b", "b"]


def test_the_original_starts_anew_from_the_picture_that_its_lead_has_made(world: HarnessFactory) -> None:
    """Its optimiser forgets, and codes snap: one more iteration then differs from one of a longer lead."""
    anew, on = with_film(world()), with_film(world())
    run(anew, compat="upstream", frames=1, iterationsForFirstFrame=3, iterationsPerFrame=2)
    run(on, compat="upstream", frames=1, iterationsForFirstFrame=0, iterationsPerFrame=5)
    assert anew.pictures() != on.pictures()


@pytest.mark.parametrize(
    ("source", "budget", "upstream", "ours"),
    [
        ((1920, 1080), (256, 256), (336, 176), (336, 192)),
        ((1920, 1080), (684, 384), (672, 368), (672, 384)),
        ((1920, 1080), (128, 128), (160, 80), (160, 96)),
        ((1080, 1920), (684, 384), (368, 672), (384, 672)),
        ((640, 480), (256, 256), (288, 208), None),
        ((560, 320), (256, 256), (336, 192), (336, 192)),
    ],
)
def test_q_22_sides_are_matched_once_and_three_times_in_the_original(
    source: tuple[int, int], budget: tuple[int, int], upstream: tuple[int, int], ours: tuple[int, int] | None
) -> None:
    """§2.16."""
    fields = {"width": budget[0], "height": budget[1], "styleTransfer": STYLE}
    theirs = VqganClipConfig.model_validate(fields | {"compat": "upstream"})
    assert output_size(theirs, 16, source=source) == upstream
    width, height = output_size(VqganClipConfig.model_validate(fields), 16, source=source)
    assert abs(width / height / (source[0] / source[1]) - 1) <= abs(
        upstream[0] / upstream[1] / (source[0] / source[1]) - 1
    )
    assert ours is None or width * height >= upstream[0] * upstream[1]


def test_the_proportions_are_the_source_s(world: HarnessFactory) -> None:
    w = with_film(world(), size=(64, 32))
    run(w, frames=1)
    height, width = w.frames.pixels[0].shape[:2]
    assert width * height <= 16 * 16
    assert width / height == pytest.approx(2, rel=0.2)


def test_a_video_is_taken_apart_at_the_rate_asked_for(world: HarnessFactory) -> None:
    w = world()
    levels = [np.full((32, 32, 3), 20 * index, np.uint8) for index in range(12)]
    write_mp4(w.folder / "film.mp4", levels, VideoEncoding(fps=12, crf=0))
    assert run(w, source="film.mp4", sourceFps=4).frames == 4
    assert run(w, source="film.mp4", sourceFps=12, frames=5).frames == 5
    with Image.open(w.folder / "scratch" / "00004.png") as fifth:
        assert fifth.size == (16, 16)
        assert np.asarray(fifth).mean() == pytest.approx(80, abs=3)


@pytest.mark.parametrize("rate", [4, 12])
def test_how_many_frames_there_will_be_is_told_before_the_first_iteration(world: HarnessFactory, rate: int) -> None:
    w = world()
    write_mp4(w.folder / "film.mp4", [np.full((32, 32, 3), 90, np.uint8)] * 12, VideoEncoding(fps=12))
    run(w, source="film.mp4", sourceFps=rate, iterationsPerFrame=1, iterationsForFirstFrame=0)
    assert w.expected == [(rate, 0)], "a second of film"


def test_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("frame-10.png", "frame-2.png", "frame-1.png", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["frame-1.png", "frame-2.png", "frame-10.png"]
    assert sorted(["b", "a10", "a9b", "a9", "7"], key=natural_sort_key) == ["7", "a9", "a9b", "a10", "b"]


def test_sources_that_are_no_pictures_are_refused_with_their_field(world: HarnessFactory) -> None:
    field = r"pipeline\.vqganClip\.styleTransfer\.source"
    with pytest.raises(BadInput, match=f"{field}: there is no file 'film'"):
        run(world())
    empty = world()
    (empty.folder / "film").mkdir()
    with pytest.raises(BadInput, match=f"{field}: the folder 'film' contains no images"):
        run(empty)
    (empty.folder / "film" / "0.png").write_text("no picture")
    with pytest.raises(BadInput, match="not a readable image"):
        run(empty)
    (empty.folder / "film.mp4").write_text("not a video")
    with pytest.raises(BadInput, match="not a video"):
        run(empty, source="film.mp4")

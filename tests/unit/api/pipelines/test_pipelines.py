"""What a pipeline's model answers about itself: form, frames, size, disk, title."""

from typing import Any

import pytest
from videojob_api.pipelines import PIPELINES, Pipeline
from videojob_api.pipelines.base import PipelineSpec

SOURCE = {"prompts": "oil painting", "source": "clip.mp4"}


def vqgan_clip(**fields: Any) -> PipelineSpec:
    name, pipeline = Pipeline.model_validate({"vqganClip": {"width": 1000, "height": 500, **fields}}).member()
    assert name == "vqganClip"
    return pipeline


def test_every_field_of_the_choice_is_a_pipeline() -> None:
    assert list(PIPELINES) == list(Pipeline.model_fields) == ["vqgan_clip", "custom"]


@pytest.mark.parametrize(
    ("form", "name", "frames"),
    [
        ({"video": {"prompts": "p", "frames": 120}}, "video", 120),
        ({"image": {"prompts": "p", "iterations": 100}}, "image", 1),
        ({"timelapse": {"prompts": "p", "iterations": 300}}, "timelapse", 301),
        ({"styleTransfer": SOURCE}, "styleTransfer", None),
        ({"styleTransfer": SOURCE | {"frames": 7}}, "styleTransfer", None),
    ],
)
def test_each_form_says_how_many_frames_it_makes_unless_its_source_decides(
    form: dict[str, Any], name: str, frames: int | None
) -> None:
    pipeline = vqgan_clip(**form)
    assert (pipeline.form()[0], pipeline.frame_count()) == (name, frames)


@pytest.mark.parametrize(
    ("iterations", "every", "frames"),
    [
        (100, 10, 10),  # after 10, 20 … 100
        (100, 20, 5),
        (100, 30, 4),  # after 30, 60, 90 and the last one
        (101, 10, 11),
        (10, 30, 1),
        (10, 10, 1),
        (7, 1, 7),
    ],
)
def test_an_image_has_a_frame_after_every_so_many_iterations_and_after_the_last(
    iterations: int, every: int, frames: int
) -> None:
    image = {"prompts": "p", "iterations": iterations, "saveEvery": every}
    assert vqgan_clip(image=image).frame_count() == frames


def test_a_timelapse_shows_its_blends_and_runs_back() -> None:
    there = {"prompts": "p", "iterations": 9, "inBetweens": 3, "boomerang": False}
    assert vqgan_clip(timelapse=there).video_frame_count(fps=24) == 10 * 4
    assert vqgan_clip(timelapse=there | {"boomerang": True}).video_frame_count(fps=24) == 10 * 4 * 2
    assert vqgan_clip(video={"prompts": "p", "frames": 12}).video_frame_count(fps=24) == 12


def test_a_png_takes_six_tenths_of_the_pixels_and_a_style_transfer_keeps_its_source_s_frames_too() -> None:
    assert vqgan_clip(video={"prompts": "p", "frames": 12}).scratch_bytes(fps=24) == 12 * 900_000
    assert vqgan_clip(styleTransfer=SOURCE | {"frames": 12}).scratch_bytes(fps=24) == 2 * 12 * 900_000
    assert vqgan_clip(styleTransfer=SOURCE).scratch_bytes(fps=24) is None


def test_the_size_is_the_one_that_is_asked_for_and_the_title_the_prompts() -> None:
    pipeline = vqgan_clip(image={"prompts": "a cat | a dog"})
    assert (pipeline.frame_size(), pipeline.title(), pipeline.is_training()) == ((1000, 500), "a cat | a dog", False)
    assert vqgan_clip(image={"noisePrompts": "7"}).title() is None


def test_nothing_is_known_of_a_foreign_program_but_the_size_of_its_simulated_frames() -> None:
    name, pipeline = Pipeline.model_validate({"custom": {"config": {"video": {"frames": 3}}}}).member()
    assert (name, pipeline.form()) == ("custom", ("", pipeline))
    assert (pipeline.frame_count(), pipeline.video_frame_count(fps=24), pipeline.scratch_bytes(fps=24)) == (None,) * 3
    assert (pipeline.frame_size(), pipeline.title()) == ((480, 480), None)

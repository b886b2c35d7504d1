"""The items that each frame carries, against the lists of specification §4.7."""

from __future__ import annotations

from typing import Any

from videojob_runner.engines.vqgan_clip.config import VqganClipConfig
from videojob_runner.engines.vqgan_clip.video.frame_metadata import frame_metadata


def items(**fields: Any) -> dict[str, object]:
    config = VqganClipConfig.model_validate(fields)
    return frame_metadata(config, phrase="a red circle", frame=3, seed=7)


def test_a_picture_s_items_in_their_order() -> None:
    found = items(cutMethod="original", initImage="a.png", image={"prompts": "x", "iterations": 50, "saveEvery": 10})
    assert list(found.items()) == [
        ("text_prompts", "a red circle"),
        ("image_prompts", None),
        ("noise_prompts", None),
        ("iterations", 50),
        ("init_image", "a.png"),
        ("save_every", 10),
        ("cut_method", "original"),
        ("seed", 7),
    ]


def test_a_video_s_frame_tells_its_number_and_the_camera() -> None:
    found = items(initImage="a.png", video={"prompts": "x", "frames": 9, "zoom": 1.1, "shiftX": 4})
    assert list(found.items()) == [
        ("text_prompts", "a red circle"),
        ("image_prompts", None),
        ("noise_prompts", None),
        ("iterations", 30),
        ("init_image", 3),
        ("cut_method", "kornia"),
        ("seed", 7),
        ("zoom_scale", 1.1),
        ("shift_x", 4),
        ("shift_y", 0),
        ("z_smoother", False),
        ("z_smoother_buffer_len", None),
        ("z_smoother_alpha", None),
    ]


def test_a_style_transfer_tells_its_source_how_it_is_held_and_the_smoother() -> None:
    form = {"prompts": "x", "source": "walk", "sourcePromptWeight": 0.5, "smoother": {"length": 3, "alpha": 0.25}}
    found = items(styleTransfer=form)
    assert (found["init_image"], found["current_source_frame_prompt_weight"]) == ("walk", 0.5)
    assert (found["z_smoother"], found["z_smoother_buffer_len"], found["z_smoother_alpha"]) == (True, 3, 0.25)


def test_a_form_without_a_list_tells_what_all_have_in_common() -> None:
    config = VqganClipConfig.model_construct(cut_method="original", init_image="a.png")
    found = frame_metadata(config, phrase="a red circle", frame=3, seed=7)
    assert found == {
        "text_prompts": "a red circle",
        "image_prompts": None,
        "noise_prompts": None,
        "init_image": "a.png",
        "cut_method": "original",
        "seed": 7,
    }

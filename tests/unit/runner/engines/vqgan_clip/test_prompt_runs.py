"""Whole runs with pictures and noises among the prompts."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image
from videojob_runner.engines.vqgan_clip import VqganClip, VqganClipConfig
from videojob_runner.errors import BadInput, Interrupted

from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, HarnessFactory

ALL_KINDS = {
    "prompts": "a ^ b",
    "imagePrompts": "red.png:0.5 ^ blue.png",
    "noisePrompts": "7:0.1",
    "frames": 4,
    "iterationsPerFrame": 2,
    "iterationsForFirstFrame": 1,
}


def run(w: EngineHarness, **fields: Any) -> EngineHarness:
    for colour in ("red", "blue"):
        Image.new("RGB", (30, 20), colour).save(w.folder / f"{colour}.png")
    config = VqganClipConfig.model_validate({"width": 16, "height": 16, "learningRate": 0.5, **fields})
    VqganClip().run(config, w.context())
    return w


@pytest.mark.parametrize("stopped_after", [3, 6])
def test_an_interrupted_run_with_every_kind_of_prompts_goes_on_to_the_very_same_bytes(
    world: HarnessFactory, stopped_after: int
) -> None:
    undisturbed, w = run(world(), video=ALL_KINDS), world(interrupted_after=stopped_after)
    with pytest.raises(Interrupted):
        run(w, video=ALL_KINDS)
    w.interrupted_after = None
    assert run(w, video=ALL_KINDS).pictures() == undisturbed.pictures()


def test_each_kind_of_prompts_alone_makes_its_own_picture(world: HarnessFactory) -> None:
    forms = [{"prompts": "a"}, {"imagePrompts": "red.png"}, {"imagePrompts": "blue.png"}, {"noisePrompts": "1"}]
    assert len({run(world(), image={**form, "iterations": 3}).pictures()[0] for form in forms}) == 4


def test_a_frame_s_prompts_are_written_beside_it(world: HarnessFactory) -> None:
    w = run(world(), video=ALL_KINDS)
    assert [w.frames.texts[index]["text_prompts"] for index in (0, 3)] == [
        "a | image red.png | noise 7",
        "b | image blue.png | noise 7",
    ]


def test_a_picture_of_a_later_phrase_that_is_missing_is_noticed_before_any_work(world: HarnessFactory) -> None:
    w = world()
    with pytest.raises(BadInput, match=r"video\.imagePrompts: there is no file 'gone\.png'"):
        run(w, video={**ALL_KINDS, "imagePrompts": "red.png ^ gone.png"})
    assert not w.progress.reports


def test_a_picture_outside_the_inputs_is_refused(world: HarnessFactory) -> None:
    with pytest.raises(BadInput, match="outside the input folder"):
        run(world(), image={"imagePrompts": "../../secret.png"})


def test_the_original_s_image_takes_the_first_phrase_of_a_story(world: HarnessFactory) -> None:
    """§3.3: its `image` uses index 0 only; ours refuses a second phrase (see the bad configurations)."""
    story, first = (
        run(world(), compat="upstream", image={"prompts": prompts, "iterations": 2}) for prompts in ("a ^ b", "a")
    )
    assert story.pictures() == first.pictures()

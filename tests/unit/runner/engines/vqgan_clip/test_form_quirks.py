"""The quirk register (specification vqgan-clip §10), rows of the forms: our ways, and those of `compat: upstream`."""

from __future__ import annotations

from typing import Any

import pytest
from videojob_runner.engines.vqgan_clip import VqganClip, VqganClipConfig

from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, HarnessFactory

VIDEO = {"prompts": "a ^ b", "frames": 4, "iterationsPerFrame": 2, "iterationsForFirstFrame": 0}
UPSTREAM = {"compat": "upstream"}


def run(w: EngineHarness, **fields: Any) -> EngineHarness:
    config = VqganClipConfig.model_validate({"width": 16, "height": 16, "learningRate": 0.5, **fields})
    VqganClip().run(config, w.context())
    return w


def test_q_18_the_smoother_averages_what_lies_ahead_too_and_shows_both_ends_as_they_are(world: HarnessFactory) -> None:
    plain = run(world(), video=VIDEO).pictures()
    smooth = run(world(), video=VIDEO | {"smoother": {"length": 3}}).pictures()
    assert (smooth[0], smooth[3]) == (plain[0], plain[3]), "they have no neighbours on one side"
    assert smooth[1] != plain[1]
    assert smooth[2] != plain[2]


@pytest.mark.parametrize(("compat", "waits"), [({}, True), (UPSTREAM, False)])
def test_q_18_the_original_s_smoother_knows_only_what_lies_behind(
    world: HarnessFactory, compat: dict[str, str], waits: bool
) -> None:
    """Then the second frame is the same whether or not a third follows."""

    def second(frames: int) -> bytes:
        video = VIDEO | {"prompts": "a", "frames": frames, "smoother": {"length": 3}}
        return run(world(), video=video, **compat).pictures()[1]

    assert (second(2) != second(3)) is waits


def test_q_18_alpha_acts_in_a_video_but_not_in_the_original_s(world: HarnessFactory) -> None:
    def frames(alpha: float, **compat: str) -> list[bytes]:
        return run(world(), video=VIDEO | {"smoother": {"length": 3, "alpha": alpha}}, **compat).pictures()

    assert frames(0.9) != frames(0)
    assert frames(0.9, **UPSTREAM) == frames(0, **UPSTREAM)


def test_q_19_a_zoom_with_one_iteration_per_frame_moves_on_but_not_in_the_original(world: HarnessFactory) -> None:
    """The original throws each trained latent away: its frames depend on no prompt at all."""

    def frames(prompts: str, **compat: str) -> list[bytes]:
        video = VIDEO | {"prompts": prompts, "iterationsPerFrame": 1, "zoom": 1.1}
        return run(world(), video=video, **compat).pictures()

    assert frames("a red circle") != frames("a blue square")
    assert frames("a red circle", **UPSTREAM) == frames("a blue square", **UPSTREAM)


@pytest.mark.parametrize(("compat", "shows"), [({}, True), (UPSTREAM, False)])
def test_q_20_a_frame_shows_the_last_step_but_not_the_original_s(
    world: HarnessFactory, compat: dict[str, str], shows: bool
) -> None:
    """After a single step the original still shows the start, which no prompt has moved."""

    def picture(prompts: str) -> list[bytes]:
        return run(world(), image={"prompts": prompts, "iterations": 1}, **compat).pictures()

    assert (picture("a red circle") != picture("a blue square")) is shows


@pytest.mark.parametrize(("compat", "first_new"), [({}, 3), (UPSTREAM, 4)])
def test_q_27_frame_k_is_the_first_with_the_new_phrase_and_one_later_in_the_original_s_video(
    world: HarnessFactory, compat: dict[str, str], first_new: int
) -> None:
    w = run(world(), video=VIDEO | {"changePromptsOnFrame": [3]}, **compat)
    prompts = [w.frames.texts[index]["text_prompts"] for index in range(4)]
    assert prompts == ["a"] * (first_new - 1) + ["b"] * (4 - first_new + 1)


def test_a_video_turns_from_its_second_frame_on(world: HarnessFactory) -> None:
    still, turning = (run(world(), video=VIDEO | {"rotate": turn}).pictures() for turn in (0, 90))
    assert turning[0] == still[0]
    assert turning[1] != still[1]

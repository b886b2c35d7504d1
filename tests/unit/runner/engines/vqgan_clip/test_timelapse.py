"""The form `timelapse`: its frames, and the film that is made of them (specification vqgan-clip §1.9, §1.10)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from videojob_runner.engine.api import FrameComposer, TaskResult
from videojob_runner.engines.vqgan_clip import VqganClip, VqganClipConfig
from videojob_runner.engines.vqgan_clip.timelapse import TimelapseComposer, blend
from videojob_runner.errors import BadConfig, Interrupted
from videojob_runner.media.frames import RgbImage

from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, HarnessFactory

FIVE = {"prompts": "a", "iterations": 5}


def run(w: EngineHarness, **fields: Any) -> TaskResult:
    config = VqganClipConfig.model_validate({"width": 16, "height": 16, "learningRate": 0.5, **fields})
    return VqganClip().run(config, w.context())


def test_there_is_a_frame_before_each_iteration_and_one_after_the_last(world: HarnessFactory) -> None:
    w, one_more = world(), world()
    assert run(w, timelapse=FIVE).frames == 6
    assert [done for done, _, _ in w.progress.reports] == [1, 2, 3, 4, 5]
    run(one_more, timelapse=FIVE | {"iterations": 6})
    assert w.pictures() == one_more.pictures()[:6]
    assert len(set(w.pictures())) == 6


def test_the_first_frame_is_the_start_whatever_the_prompts_say(world: HarnessFactory) -> None:
    worlds = [world(), world()]
    for w, prompts in zip(worlds, ("a red circle", "a blue square"), strict=True):
        run(w, timelapse=FIVE | {"prompts": prompts})
    first, second = (w.pictures() for w in worlds)
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_phrases_share_the_iterations_and_frames_tell_theirs(world: HarnessFactory) -> None:
    w = world()
    run(w, timelapse=FIVE | {"prompts": "a ^ b", "iterations": 4})
    assert [w.frames.texts[index]["text_prompts"] for index in range(5)] == ["a", "a", "b", "b", "b"]
    with pytest.raises(BadConfig, match="5 phrases cannot share 4 iterations"):
        run(world(), timelapse=FIVE | {"prompts": "a^b^c^d^e", "iterations": 4})


@pytest.mark.parametrize("stopped_after", [1, 4, 5])
def test_an_interrupted_timelapse_goes_on_to_the_very_same_bytes(world: HarnessFactory, stopped_after: int) -> None:
    undisturbed, w = world(), world(interrupted_after=stopped_after)
    run(undisturbed, timelapse=FIVE)
    with pytest.raises(Interrupted):
        run(w, timelapse=FIVE)
    w.interrupted_after = None
    assert run(w, timelapse=FIVE).frames == 6
    assert w.pictures() == undisturbed.pictures()


def picture(level: int, *, width: int = 6, height: int = 4) -> RgbImage:
    return np.full((height, width, 3), level, np.uint8)


def levels(film: FrameComposer, *frames: int) -> list[int]:
    """The pictures that a film makes of flat frames, all by their first level."""
    return [int(shown[0, 0, 0]) for shown in film(len(frames), lambda index: picture(frames[index]))]


def test_between_two_frames_come_blends_rounded_down() -> None:
    assert levels(TimelapseComposer(in_betweens=4), 0, 100, 103) == [
        *(0, 20, 40, 60, 80, 100),
        *(100, 101, 101, 102, 103),
    ]


def test_a_boomerang_turns_on_its_last_picture_twice_and_ends_as_it_began() -> None:
    assert levels(TimelapseComposer(in_betweens=1, boomerang=True), 0, 10, 30) == [
        0,
        5,
        10,
        20,
        30,
        30,
        20,
        10,
        5,
        0,
    ]


def test_it_fades_in_from_the_source_and_out_towards_it_without_reaching_it() -> None:
    """§1.10: R frames with w = i/R, and at the end 1 − i/R."""
    film = TimelapseComposer(init_image=picture(200), fade_frames=4)
    assert levels(film, 0, 50) == [200, 150, 100, 50, 0, 50, 0, 50, 100, 150]


@pytest.mark.parametrize(("iterations", "total"), [(30, 506), (300, 3206)])
def test_the_length_is_that_of_the_specification(iterations: int, total: int) -> None:
    """§1.10 at 24 frames per second: T + 2R + 10N + 2 with T = 84 and R = 60."""
    film = TimelapseComposer(
        in_betweens=4, boomerang=True, title="a", title_frames=84, init_image=picture(9), fade_frames=60
    )
    assert sum(1 for _ in film(iterations + 1, lambda index: picture(index % 200))) == total


def test_equal_pictures_blend_into_the_same_picture() -> None:
    """In floats 0.8·x + 0.2·x may fall below x, and rounding down then darkens the film."""
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    for steps in range(1, 61):
        for step in range(steps + 1):
            assert (blend(every, every, step=step, steps=steps) == every).all()


def film_of(w: EngineHarness, **fields: Any) -> FrameComposer:
    film = run(w, **fields).composer
    assert film is not None
    return film


def test_title_and_fades_take_their_seconds_and_all_pictures_have_one_size(world: HarnessFactory) -> None:
    w = world()
    Image.new("RGB", (50, 30), (200, 200, 200)).save(w.folder / "seed.png")
    two = FIVE | {"iterations": 1, "titleSeconds": 0.5, "fadeSeconds": 0.25}
    film = film_of(w, width=25, height=18, initImage="seed.png", timelapse=two)
    shown = list(film(2, w.frames.pixels.__getitem__))
    assert {picture.shape for picture in shown} == {(16, 24, 3)}
    assert len(shown) == 12 + 2 * 6 + 10 * 1 + 2
    assert shown[12][0, 0].tolist() == [200, 200, 200], "the init image itself"


def test_q_01_without_an_init_image_there_are_no_fades_and_without_a_text_no_card(world: HarnessFactory) -> None:
    w = world()
    bare = FIVE | {"iterations": 1, "prompts": None, "noisePrompts": "7"}
    assert len(list(film_of(w, timelapse=bare)(2, w.frames.pixels.__getitem__))) == 12
    titled = film_of(w, timelapse=bare | {"title": "Noise"})
    assert len(list(titled(2, w.frames.pixels.__getitem__))) == 12 + 84


def test_row_15_the_card_shows_the_text_without_its_weight(world: HarnessFactory) -> None:
    film = film_of(world(), timelapse=FIVE | {"prompts": "a cat:0.5 | dots"})
    assert isinstance(film, TimelapseComposer)
    assert film.title == "a cat"


def test_the_other_forms_show_their_frames_as_they_are(world: HarnessFactory) -> None:
    assert run(world(), image={"prompts": "a", "iterations": 1}).composer is None

"""Schedules, learning rates, settings from configuration and packs, and the camera."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from videojob_runner.engines.vqgan_clip.config import VqganClipConfig
from videojob_runner.engines.vqgan_clip.schedule.iterations import IterationSchedule, LearningRate
from videojob_runner.engines.vqgan_clip.settings import RunSettings, resolve_settings
from videojob_runner.engines.vqgan_clip.video.camera import Camera, warp
from videojob_runner.errors import BadConfig, BadInput
from videojob_runner.models.packs.reader import Pack

Resolve = Callable[..., RunSettings]


def test_the_ramp_of_the_flat_form() -> None:
    """§11.5."""
    rates = LearningRate(start=0.02, end=0.02, growth=1.02, cap=0.1)
    expected = {0: 0.02, 1: 0.0204, 10: 0.02438, 30: 0.036227, 50: 0.053832, 81: 0.099459, 82: 0.1, 400: 0.1}
    assert {i: rates.at(i, since=i, span=1) for i in expected} == pytest.approx(expected, abs=1e-5)


def test_the_cap_holds_for_the_start_too() -> None:
    assert LearningRate(start=0.5, end=0.5, growth=1.02, cap=0.1).at(0, since=0, span=1) == 0.1


def test_a_falling_rate_reaches_its_end_with_the_last_iteration_of_its_span_and_stays() -> None:
    rates = LearningRate(start=0.6, end=0.06, growth=1.0)
    assert [rates.at(90 + i, since=i, span=10) for i in (0, 9, 50)] == pytest.approx([0.6, 0.06, 0.06])
    assert rates.at(3, since=3, span=10) == pytest.approx(0.6 - 0.54 / 3)
    assert rates.at(0, since=0, span=1) == 0.6


@st.composite
def schedules(draw: st.DrawFn) -> IterationSchedule:
    """A schedule of either kind: whole frames after a lead, or an image kept every so many iterations."""
    frames, per_frame = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    lead = draw(st.integers(0, 4))
    missing = 0 if lead else draw(st.integers(0, per_frame - 1))
    constant = LearningRate(start=0.1, end=0.1)
    return IterationSchedule(
        total=lead + frames * per_frame - missing,
        per_frame=per_frame,
        rates=constant,
        decay_iterations=1,
        phrases=tuple(range(frames)),
        warmup=lead,
        frames_before_steps=draw(st.booleans()),
    )


@given(schedules())
def test_every_frame_is_shown_exactly_once_and_in_order(schedule: IterationSchedule) -> None:
    steps = [schedule.iteration(number) for number in range(schedule.total)]
    shown = [step.frame for step in steps if step.shows_start or step.shows_end]
    assert shown == list(range(schedule.frames))
    assert [step.phrase for step in steps] == [step.frame for step in steps]
    assert [step.frame for step in steps] == sorted(step.frame for step in steps)


@given(schedules())
def test_the_camera_moves_after_each_frame_but_the_last(schedule: IterationSchedule) -> None:
    steps = [schedule.iteration(number) for number in range(schedule.total)]
    assert [step.frame for step in steps if step.moves_camera] == list(range(schedule.frames - 1))
    assert not steps[-1].moves_camera


def test_a_frame_before_its_steps_is_taken_at_the_first_of_them() -> None:
    schedule = IterationSchedule(
        total=5,
        per_frame=2,
        rates=LearningRate(start=1, end=1),
        decay_iterations=1,
        phrases=(0, 0),
        warmup=1,
        frames_before_steps=True,
    )
    assert [schedule.iteration(n).shows_start for n in range(5)] == [False, True, False, True, False]


@pytest.fixture
def resolved(generator_folder: Path, perceptor_folder: Path) -> Resolve:
    """Resolves configuration fields against the tiny packs with other defaults."""

    def of(
        generator: dict[str, Any] | None = None,
        perceptor: dict[str, Any] | None = None,
        sources: int = 0,
        **fields: Any,
    ) -> RunSettings:
        config = VqganClipConfig.model_validate({"image": {"prompts": "x"}, **fields})
        packs = Pack.open(generator_folder, kind="vqgan"), Pack.open(perceptor_folder, kind="clip")
        return resolve_settings(
            config,
            generator=with_defaults(packs[0], generator or {}),
            perceptor=with_defaults(packs[1], perceptor or {}),
            factor=16,
            sources=sources,
        )

    return of


def with_defaults(pack: Pack, defaults: dict[str, Any]) -> Pack:
    manifest = pack.manifest.model_copy(update={"defaults": defaults})
    return Pack(folder=pack.folder, manifest=manifest, digest=pack.digest)


class TestSettings:
    def rate(self, settings: RunSettings, iteration: int) -> float:
        return settings.schedule.iteration(iteration).rate

    def test_without_any_wish_the_field_s_customs_hold(self, resolved: Resolve) -> None:
        settings = resolved()
        assert (settings.start, settings.cutouts.count, settings.cutouts.method) == ("random", 32, "kornia")
        assert (settings.schedule.total, settings.schedule.frames) == (100, 1)
        assert {self.rate(settings, i) for i in (0, 50, 99)} == {0.1}
        assert not settings.camera.is_moving

    def test_a_pack_s_wishes_come_before_the_customs(self, resolved: Resolve) -> None:
        generator = {"start": "gray", "learningRate": 0.6, "learningRateFinal": 0.06}
        settings = resolved(generator, {"cuts": 8, "augmentation": {"shift": [0, 0.1], "jitter": 0}})
        assert (settings.start, settings.cutouts.count) == ("gray", 8)
        assert settings.cutouts.augmentation.shift == (0, 0.1)
        assert settings.cutouts.augmentation.flip_chance == 0.5
        assert [self.rate(settings, i) for i in (0, 99)] == pytest.approx([0.6, 0.06])

    def test_the_user_s_wishes_come_first_and_a_rate_of_theirs_is_constant(self, resolved: Resolve) -> None:
        generator = {"start": "gray", "learningRate": 0.6, "learningRateFinal": 0.06}
        settings = resolved(generator, {"cuts": 8}, start="random", cuts=5, learningRate=0.2, cutPower=2)
        assert (settings.start, settings.cutouts.count, settings.cutouts.power) == ("random", 5, 2)
        assert {self.rate(settings, i) for i in (0, 50, 99)} == {0.2}

    def test_a_video_s_rate_falls_over_the_first_frame_and_stays(self, resolved: Resolve) -> None:
        video = {"prompts": "x", "frames": 3, "iterationsPerFrame": 8, "iterationsForFirstFrame": 12}
        generator = {"learningRate": 0.6, "learningRateNextFrames": 0.3, "learningRateFinal": 0.01}
        settings = resolved(generator, image=None, video=video)
        assert [self.rate(settings, i) for i in (0, 19, 20, 35)] == pytest.approx([0.6, 0.3, 0.3, 0.3])

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, [0.6, 0.3, 0.6, 0.4, 0.2, 0.6, 0.4, 0.2]),
            ({"learningRate": 0.5}, [0.5] * 8),
            ({"compat": "upstream"}, [0.6] + [0.3] * 7),
        ],
    )
    def test_a_style_transfer_s_rate_falls_over_the_first_frame_and_as_a_picture_s_over_each_other(
        self, resolved: Resolve, fields: dict[str, Any], expected: list[float]
    ) -> None:
        style = {"prompts": "x", "source": "film", "iterationsPerFrame": 3, "iterationsForFirstFrame": 5}
        generator = {"learningRate": 0.6, "learningRateNextFrames": 0.3, "learningRateFinal": 0.2}
        settings = resolved(generator, image=None, styleTransfer=style, sources=3, **fields)
        assert [self.rate(settings, i) for i in (0, 7, 8, 9, 10, 11, 12, 13)] == pytest.approx(expected)

    def test_a_new_phrase_starts_the_rate_anew(self, resolved: Resolve) -> None:
        video = {"prompts": "a^b", "frames": 6, "iterationsPerFrame": 4, "iterationsForFirstFrame": 3}
        settings = resolved({"learningRate": 0.6, "learningRateNextFrames": 0.3}, image=None, video=video)
        falling = pytest.approx([0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3, 0.3])
        assert [self.rate(settings, i) for i in range(8)] == falling
        assert [settings.schedule.iteration(i).phrase for i in (14, 15)] == [0, 1]
        assert [i for i in range(27) if settings.schedule.iteration(i).new_phrase] == [15]
        assert [self.rate(settings, i) for i in range(15, 23)] == falling

    def test_a_timelapse_s_rate_grows_from_a_fifth_to_the_pack_s(self, resolved: Resolve) -> None:
        """Without wishes that is the original's ramp, §11.5."""
        timelapse = {"prompts": "x", "iterations": 100}
        usual = resolved(image=None, timelapse=timelapse)
        assert [self.rate(usual, i) for i in (0, 1, 10, 81, 82)] == pytest.approx(
            [0.02, 0.0204, 0.02438, 0.099459, 0.1], abs=1e-5
        )
        packed = resolved({"learningRate": 0.5, "learningRateFinal": 0.01}, image=None, timelapse=timelapse)
        assert [self.rate(packed, i) for i in (0, 99)] == pytest.approx([0.1, 0.5])

    def test_a_timelapse_s_rate_is_the_user_s_if_they_say_so(self, resolved: Resolve) -> None:
        steep = {"prompts": "x", "iterations": 100, "learningRateGrowth": 2, "learningRateCap": 0.3}
        assert [self.rate(resolved(image=None, timelapse=steep, learningRate=0.1), i) for i in (0, 1, 2, 99)] == [
            *(0.1, 0.2, 0.3, 0.3)
        ]
        above = resolved(image=None, timelapse=steep, learningRate=0.7)
        assert [self.rate(above, i) for i in (0, 50)] == [0.7, 0.7], "a rate above the cap is meant"

    def test_a_video_s_phrases_change_where_it_says(self, resolved: Resolve) -> None:
        video = {"prompts": "a^b", "frames": 3, "changePromptsOnFrame": [2], "zoom": 1.02, "shiftY": -3}
        settings = resolved(image=None, video=video)
        assert settings.schedule.phrases == (0, 1, 1)
        assert settings.camera == Camera(zoom=1.02, shift_y=-3)
        assert settings.schedule.total == 100 + 3 * 30

    @pytest.mark.parametrize(
        ("wanted", "made"),
        [((587, 330), (576, 320)), ((684, 384), (672, 384)), ((256, 144), (256, 144)), ((128, 128), (128, 128))],
    )
    def test_sides_are_rounded_down_to_the_factor(
        self, resolved: Resolve, wanted: tuple[int, int], made: tuple[int, int]
    ) -> None:
        """§2.3."""
        assert resolved(width=wanted[0], height=wanted[1]).size == made

    def test_a_side_below_the_factor_is_refused(self, resolved: Resolve, generator_folder: Path) -> None:
        config = VqganClipConfig.model_validate({"height": 24, "image": {"prompts": "x"}})
        pack = Pack.open(generator_folder, kind="vqgan")
        with pytest.raises(BadConfig, match=r"vqganClip\.height: 24 is less than the generator's 32"):
            resolve_settings(config, generator=pack, perceptor=with_defaults(pack, {}), factor=32)

    @pytest.mark.parametrize(
        ("generator", "perceptor", "words"),
        [
            ({"learningrate": 1}, {}, "defaults.learningrate"),
            ({"learningRate": -1}, {}, "defaults.learningRate"),
            ({}, {"cuts": 0}, "defaults.cuts"),
            ({}, {"augmentation": {"noise": "much"}}, "defaults.augmentation.noise"),
        ],
    )
    def test_a_pack_with_wishes_nobody_knows_is_refused(
        self, resolved: Resolve, generator: dict[str, Any], perceptor: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(BadInput, match=words):
            resolved(generator, perceptor)


class TestCamera:
    def bars(self, *, width: int = 64, height: int = 48) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Brightness rises from left to right, and in green from top to bottom."""
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[..., 0] = np.linspace(0, 252, width)
        pixels[..., 1] = np.linspace(0, 188, height)[:, None]
        return pixels

    def test_a_shift_wraps_to_the_right_and_down(self) -> None:
        pixels = self.bars()
        moved = Camera(shift_x=1, shift_y=1)(pixels)
        assert (moved[1, 1] == pixels[0, 0]).all()
        assert (moved[0, 0] == pixels[-1, -1]).all()
        assert Camera(shift_x=1).is_moving

    def test_no_zoom_and_no_shift_leave_every_byte(self) -> None:
        assert not Camera().is_moving
        assert (Camera()(self.bars()) == self.bars()).all()

    @pytest.mark.parametrize("factor", [1.002, 1.02, 1.5, 0.98, 0.6])
    @pytest.mark.parametrize(("width", "height"), [(256, 144), (64, 64)])
    def test_zoom_is_the_same_in_both_directions_and_not_rounded(self, width: int, height: int, factor: float) -> None:
        """§4.3: the original's rounded box does not zoom 256×144 by 1.002 at all, and 1.02 to 1.024 / 1.0141."""
        ramp = np.zeros((height, width, 3), np.float64)
        ramp[..., 0] = 55 + 1 * np.arange(width) * 145 / width
        ramp[..., 1] = 55 + 1 * np.arange(height)[:, None] * 145 / height
        result = warp(ramp.round().astype(np.uint8), zoom=factor).astype(float)
        across = np.polyfit(
            np.arange(width)[width // 4 : -width // 4], result[height // 2, width // 4 : -width // 4, 0], 1
        )[0]
        down = np.polyfit(
            np.arange(height)[height // 4 : -height // 4], result[height // 4 : -height // 4, width // 2, 1], 1
        )[0]
        assert across * width / 145 * factor == pytest.approx(1, abs=0.03)
        assert down * height / 145 * factor == pytest.approx(1, abs=0.03)

    def test_a_tiny_zoom_changes_the_picture(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (144, 256, 3), dtype=np.uint8)
        assert (warp(noise, zoom=1.002) != noise).mean() > 0.5

    def test_the_centre_stays(self) -> None:
        pixels = np.zeros((33, 33, 3), np.uint8)
        pixels[16, 16] = 255
        for factor in (0.7, 1.4):
            bright = warp(pixels, zoom=factor)[..., 0].astype(float)
            rows, columns = np.indices(bright.shape)
            assert [(bright * axis).sum() / bright.sum() for axis in (rows, columns)] == pytest.approx(
                [16, 16], abs=0.01
            )

    def test_zooming_out_leaves_no_dark_border(self) -> None:
        white = np.full((20, 30, 3), 255, np.uint8)
        assert (warp(white, zoom=0.5) == 255).all()

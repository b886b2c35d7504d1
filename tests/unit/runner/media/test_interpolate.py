"""Frames between frames: how many there are, where things stand in them, and that nothing is lost on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from videojob_runner.errors import BadInput, EncodingFailed
from videojob_runner.media.encode import VideoEncoding, write_mp4
from videojob_runner.media.frames import RgbImage
from videojob_runner.media.interpolate import interpolate_frames

from tests.unit.runner.media.clips import brightening, centre, sliding


@pytest.mark.parametrize(
    ("count", "fps", "to", "frames"),
    [(1, 30, 60, 2), (2, 30, 60, 4), (120, 30, 60, 240), (10, 24, 60, 25), (10, 24, 25, 11), (3, 1, 240, 720)],
)
def test_the_length_stays_what_it_was(count: int, fps: float, to: float, frames: int) -> None:
    made = list(interpolate_frames(brightening(count, width=16, height=16), fps=fps, to=to))
    assert len(made) == frames
    assert len(made) / to == pytest.approx(count / fps, abs=1 / to)


def test_rates_that_are_no_whole_numbers_are_kept() -> None:
    made = list(interpolate_frames(sliding(7), fps=23.976, to=59.94))
    assert len(made) == math.ceil(7 * 59.94 / 23.976)


def test_a_moving_square_stands_between_its_places_and_not_at_both() -> None:
    made = list(interpolate_frames(sliding(10), fps=30, to=60))
    places = [centre(frame) for frame in made]
    assert places[:18] == pytest.approx([11.5 + 2 * index for index in range(18)], abs=0.5), "4 pixels a frame, halved"
    between = made[9]
    assert int((between[..., 0] > 130).any(axis=0).sum()) == pytest.approx(16, abs=2), "one square, as wide as before"


def test_where_both_rates_meet_the_frame_is_the_source_s_own() -> None:
    source = list(sliding(10))
    made = list(interpolate_frames(iter(source), fps=30, to=60))
    worst = max(int(np.abs(made[2 * index].astype(int) - source[index]).max()) for index in range(10))
    assert worst <= 2, "rounding of the colour space"


def test_the_last_frame_is_shown_too() -> None:
    source = list(brightening(6))
    assert float(list(interpolate_frames(iter(source), fps=10, to=20))[-1].mean()) == pytest.approx(
        float(source[-1].mean()), abs=2
    )


def test_equal_frames_give_equal_frames() -> None:
    one, other = (np.stack(list(interpolate_frames(sliding(6), fps=12, to=30))) for _ in range(2))
    assert np.array_equal(one, other)


def test_no_frames_stay_no_frames() -> None:
    assert list(interpolate_frames([], fps=10, to=20)) == []


def test_it_begins_before_the_source_has_ended_and_stops_when_nobody_wants_more() -> None:
    taken: list[int] = []

    def endless() -> Iterator[RgbImage]:
        while True:
            taken.append(1)
            yield from sliding(1)

    made = interpolate_frames(endless(), fps=10, to=20)
    next(made)
    made.close()
    assert len(taken) < 10_000


@pytest.mark.parametrize(("fps", "to"), [(24, 24), (30, 24), (0, 24), (24, 241), (-1, 24), (24, float("nan"))])
def test_only_a_higher_rate_makes_sense(fps: float, to: float) -> None:
    with pytest.raises(ValueError, match=f"{fps} to {to}"):
        list(interpolate_frames(sliding(3), fps=fps, to=to))


def test_frames_too_small_to_search_in_are_refused_with_the_remedy() -> None:
    with pytest.raises(BadInput, match="at least 16×16 pixels, not 15×16; upscale"):
        list(interpolate_frames(brightening(3, width=15, height=16), fps=10, to=20))


def test_frames_of_two_sizes_are_refused() -> None:
    with pytest.raises(EncodingFailed, match="frame 2 is"):
        list(interpolate_frames([*brightening(2), *brightening(1, width=64)], fps=10, to=20))


def test_an_error_of_whoever_makes_the_frames_passes_through() -> None:
    def broken() -> Iterator[RgbImage]:
        yield from sliding(3)
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(interpolate_frames(broken(), fps=10, to=20))


def test_an_mp4_may_be_interpolated_on_the_way(tmp_path: Path) -> None:
    assert write_mp4(tmp_path / "a.mp4", sliding(9), VideoEncoding(fps=12, motion_fps=24, crf=10)) == 18
    with av.open(str(tmp_path / "a.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in video.decode(video=0)]
        assert video.streams.video[0].average_rate == 24
    assert centre(frames[5]) == pytest.approx(11.5 + 10, abs=1)

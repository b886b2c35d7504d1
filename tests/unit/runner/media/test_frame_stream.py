"""The steps as plain calls: footage goes in, footage comes out, nothing happens before somebody looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from videojob_runner.errors import BadInput
from videojob_runner.media.frames import RgbImage, list_frames, read_frame, save_png
from videojob_runner.media.metadata import read_metadata, save_image
from videojob_runner.post import (
    FrameStream,
    StreamFrame,
    add_audio,
    from_folder,
    from_images,
    from_video,
    interpolate,
    upscale,
    write_video,
)

from tests.unit.runner.media.clips import centre, sliding, tone, video, video_with_audio


class Repeats:
    """Enlarges by repeating pixels, and counts."""

    def __init__(self) -> None:
        self.calls: list[tuple[float | None, int]] = []

    def upscale(self, pixels: RgbImage, *, scale: float | None = None, tile: int = 256) -> RgbImage:
        self.calls.append((scale, tile))
        return pixels.repeat(2, axis=0).repeat(2, axis=1)


def footage(count: int = 3) -> FrameStream:
    frames = (StreamFrame(pixels, {"seed": str(index)}) for index, pixels in enumerate(sliding(count)))
    return FrameStream(frames=frames, fps=12)


def test_the_three_lines_of_the_documentation(tmp_path: Path) -> None:
    sound, folder = tone(tmp_path / "song.m4a", seconds=1, codec="aac"), tmp_path / "frames"
    folder.mkdir()
    for index, pixels in enumerate(sliding(6)):
        save_png(folder / f"0000{index}.png", pixels, {})
    made = upscale(from_folder(folder, fps=12), Repeats(), scale=2, keep=tmp_path / "large")
    assert write_video(add_audio(interpolate(made, fps=24), sound), tmp_path / "a.mp4") == 12
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, float(stream.average_rate or 0)) == (192, 96, 24)
        assert [each.type for each in container.streams] == ["video", "audio"]
    assert len(list_frames(tmp_path / "large")) == 6


def test_nothing_happens_before_somebody_looks() -> None:
    def untouched() -> Iterator[StreamFrame]:
        raise AssertionError("nobody has asked yet")
        yield

    upscaler = Repeats()
    interpolate(upscale(FrameStream(frames=untouched(), fps=12), upscaler), fps=24)
    assert upscaler.calls == []


def test_one_frame_at_a_time_is_in_memory() -> None:
    alive: list[int] = []

    def counted() -> Iterator[StreamFrame]:
        for index, pixels in enumerate(sliding(4)):
            alive.append(index)
            yield StreamFrame(pixels)

    frames = iter(upscale(FrameStream(frames=counted(), fps=12), Repeats()).frames)
    next(frames)
    assert alive == [0]


def test_factor_and_tile_reach_the_network() -> None:
    upscaler = Repeats()
    list(upscale(footage(1), upscaler, scale=3, tile=64).frames)
    assert upscaler.calls == [(3, 64)]


def test_a_large_frame_keeps_what_the_small_one_says(tmp_path: Path) -> None:
    frames = list(upscale(footage(), Repeats(), keep=tmp_path / "large").frames)
    assert [frame.text for frame in frames] == [{"seed": "0"}, {"seed": "1"}, {"seed": "2"}]
    assert [read_metadata(path) for path in list_frames(tmp_path / "large")] == [frame.text for frame in frames]


def test_kept_frames_of_an_earlier_call_go(tmp_path: Path) -> None:
    list(upscale(footage(5), Repeats(), keep=tmp_path / "large").frames)
    upscaler = Repeats()
    list(upscale(footage(3), upscaler, keep=tmp_path / "large").frames)
    assert (len(upscaler.calls), len(list_frames(tmp_path / "large"))) == (3, 3)


def test_a_call_that_goes_on_makes_only_what_is_missing(tmp_path: Path) -> None:
    first = upscale(footage(5), Repeats(), keep=tmp_path / "large")
    frames = iter(first.frames)
    made = [next(frames).pixels for _ in range(2)]
    frames.close()  # type: ignore[attr-defined]
    upscaler = Repeats()
    again = list(upscale(footage(5), upscaler, keep=tmp_path / "large", resume=True).frames)
    assert len(upscaler.calls) == 3
    assert all(np.array_equal(one, other.pixels) for one, other in zip(made, again, strict=False))
    assert [read_frame(path).shape for path in list_frames(tmp_path / "large")] == [(96, 192, 3)] * 5


def test_a_video_is_footage_with_its_own_rate_and_sound(tmp_path: Path) -> None:
    found = from_video(video_with_audio(tmp_path / "a.mp4", seconds=0.5))
    assert (found.fps, found.audio, len(list(found.frames))) == (10, tmp_path / "a.mp4", 5)
    assert from_video(video(tmp_path / "b.mp4", 2, fps=5)).audio is None


def test_a_video_gets_larger_and_keeps_its_sound(tmp_path: Path) -> None:
    write_video(upscale(from_video(video_with_audio(tmp_path / "a.mp4", seconds=0.5)), Repeats()), tmp_path / "b.mp4")
    again = from_video(tmp_path / "b.mp4")
    assert (again.audio, next(iter(again.frames)).pixels.shape) == (tmp_path / "b.mp4", (96, 128, 3))


def test_a_silent_song_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'a\.mp4' has no audio track; use a file with one"):
        add_audio(footage(), video(tmp_path / "a.mp4", 2, fps=5))
    with pytest.raises(BadInput, match="there is no file"):
        add_audio(footage(), tmp_path / "none.mp3")


def test_a_gap_among_the_frames_is_an_error_and_no_shorter_video(tmp_path: Path) -> None:
    for index in (0, 1, 3):
        save_png(tmp_path / f"0000{index}.png", next(sliding(1)), {})
    with pytest.raises(ValueError, match="frame 2 is missing"):
        from_folder(tmp_path, fps=12)


def test_pictures_of_any_name_and_format_are_footage_in_the_order_given(tmp_path: Path) -> None:
    first, second = sliding(2)
    save_image(tmp_path / "b.jpg", first)
    save_image(tmp_path / "a.png", second, {"seed": 2})
    frames = list(from_images([tmp_path / "b.jpg", tmp_path / "a.png"], fps=12).frames)
    assert [centre(frame.pixels) for frame in frames] == pytest.approx([11.5, 15.5], abs=0.1)
    assert [frame.text for frame in frames] == [{}, {"seed": "2"}]


def test_fewer_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="12 to 6 does not"):
        list(interpolate(footage(), fps=6).frames)

"""The mp4 writer: what it promises about frames, sizes, bytes and failures, looked at with an independent decoder."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from videojob_runner.errors import EncodingFailed
from videojob_runner.media.encode import VideoEncoding, write_mp4
from videojob_runner.media.ffmpeg import ffmpeg_version
from videojob_runner.media.frames import RgbImage


def grey_steps(count: int, *, width: int = 48, height: int = 32) -> Iterator[RgbImage]:
    for index in range(count):
        yield np.full((height, width, 3), 20 + 200 * index // count, dtype=np.uint8)


def decoded(path: Path) -> tuple[list[RgbImage], Fraction]:
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in video.decode(stream)]
        return frames, Fraction(stream.average_rate or 0)


def test_every_frame_arrives_once_in_order_at_the_rate_asked_for(tmp_path: Path) -> None:
    assert write_mp4(tmp_path / "a.mp4", grey_steps(7), VideoEncoding(fps=5)) == 7
    frames, rate = decoded(tmp_path / "a.mp4")
    brightness = [float(frame.mean()) for frame in frames]
    expected = [float(frame.mean()) for frame in grey_steps(7)]
    assert brightness == pytest.approx(expected, abs=3)
    assert rate == 5


@pytest.mark.parametrize("fps", [1, 23.976, 24, 59.94])
def test_rates_that_are_no_whole_number_are_kept(tmp_path: Path, fps: float) -> None:
    write_mp4(tmp_path / "a.mp4", grey_steps(4), VideoEncoding(fps=fps))
    assert float(decoded(tmp_path / "a.mp4")[1]) == pytest.approx(fps, rel=1e-3)


def test_one_frame_makes_a_video_too(tmp_path: Path) -> None:
    assert write_mp4(tmp_path / "a.mp4", grey_steps(1), VideoEncoding()) == 1
    assert len(decoded(tmp_path / "a.mp4")[0]) == 1


@pytest.mark.parametrize(("width", "height"), [(33, 31), (32, 17), (17, 32), (1, 1)])
def test_odd_sizes_grow_by_one_repeated_line(tmp_path: Path, width: int, height: int) -> None:
    write_mp4(tmp_path / "a.mp4", grey_steps(3, width=width, height=height), VideoEncoding())
    frames, _ = decoded(tmp_path / "a.mp4")
    assert frames[0].shape == (height + height % 2, width + width % 2, 3)
    assert int(np.ptp(frames[2])) <= 4, "the added line repeats its neighbour instead of being black"


def test_colours_survive_and_say_which_matrix_made_them(tmp_path: Path) -> None:
    colours = [(220, 40, 40), (40, 160, 60), (40, 80, 215), (245, 220, 50)]
    pictures = [np.full((32, 32, 3), colour, dtype=np.uint8) for colour in colours]
    write_mp4(tmp_path / "a.mp4", pictures, VideoEncoding(crf=10))
    with av.open(str(tmp_path / "a.mp4")) as video:
        context = video.streams.video[0].codec_context
        assert (context.pix_fmt, context.name) == ("yuv420p", "h264")
        for frame, colour in zip(video.decode(video=0), colours, strict=True):
            assert frame.colorspace == 1, "bt709"
            shown = frame.to_ndarray(format="rgb24", src_colorspace="ITU709").reshape(-1, 3).mean(axis=0)
            assert shown == pytest.approx(colour, abs=5)


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    for name in ("a.mp4", "b.mp4"):
        write_mp4(tmp_path / name, iter(noise), VideoEncoding(metadata={"title": "sunset"}))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_q_16_metadata_reaches_the_file_even_when_it_looks_like_an_option(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", grey_steps(2), VideoEncoding(metadata={"title": "-y ; rm", "comment": "a\nb=c"}))
    with av.open(str(tmp_path / "a.mp4")) as video:
        assert video.metadata["title"] == "-y ; rm"
        assert video.metadata["comment"] == "a\nb=c"


def test_a_lower_crf_makes_a_larger_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(4).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    sizes = []
    for crf in (10, 40):
        write_mp4(tmp_path / "a.mp4", noise, VideoEncoding(crf=crf))
        sizes.append((tmp_path / "a.mp4").stat().st_size)
    assert sizes[0] > 2 * sizes[1]


def test_no_frames_make_no_file(tmp_path: Path) -> None:
    with pytest.raises(EncodingFailed, match="no frame"):
        write_mp4(tmp_path / "a.mp4", [], VideoEncoding())
    assert list(tmp_path.iterdir()) == []


def test_frames_of_two_sizes_are_refused_with_both_of_them(tmp_path: Path) -> None:
    mixed = [*grey_steps(2), *grey_steps(1, width=32, height=32)]
    with pytest.raises(EncodingFailed, match="frame 2 is 32×32, the first one is 48×32"):
        write_mp4(tmp_path / "a.mp4", mixed, VideoEncoding())
    assert list(tmp_path.iterdir()) == []


def test_a_failure_of_ffmpeg_shows_its_last_words_and_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"the video of yesterday")
    with pytest.raises(EncodingFailed, match=r"(?i)crf|option|invalid"):
        write_mp4(tmp_path / "a.mp4", grey_steps(40), VideoEncoding(crf=-1_000_000))
    assert (tmp_path / "a.mp4").read_bytes() == b"the video of yesterday"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_an_error_of_whoever_makes_the_frames_passes_through(tmp_path: Path) -> None:
    def broken() -> Iterator[RgbImage]:
        yield from grey_steps(2)
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        write_mp4(tmp_path / "a.mp4", broken(), VideoEncoding())
    assert list(tmp_path.iterdir()) == []


def test_the_ffmpeg_in_use_has_a_version() -> None:
    assert ffmpeg_version() not in ("", "unknown")

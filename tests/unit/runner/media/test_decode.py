"""Videos taken apart: which frames come out, in which order and size, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from videojob_runner.errors import BadInput
from videojob_runner.media.decode import extract_frames, iter_frames, probe_audio_codec, probe_video
from videojob_runner.media.frames import read_frame

from tests.unit.runner.media.clips import brightening, run_ffmpeg, tone, video, video_with_audio


def brightness(path: Path) -> float:
    return float(read_frame(path).mean())


def test_every_frame_of_a_video_becomes_a_picture_in_order(tmp_path: Path) -> None:
    files = extract_frames(video(tmp_path / "a.mp4", 7, fps=5), tmp_path / "frames")
    assert [path.name for path in files] == [f"0000{index}.png" for index in range(7)]
    expected = [float(frame.mean()) for frame in brightening(7)]
    assert [brightness(path) for path in files] == pytest.approx(expected, abs=3)


@pytest.mark.parametrize(("fps", "frames"), [(2, 4), (4, 8), (8, 16), (16, 32)])
def test_a_rate_of_ones_own_gives_as_many_frames_as_the_length_holds(tmp_path: Path, fps: float, frames: int) -> None:
    clip = video(tmp_path / "a.mp4", 16, fps=8)  # two seconds
    assert len(extract_frames(clip, tmp_path / "frames", fps=fps)) == frames


def test_a_lower_rate_takes_frames_from_the_whole_length(tmp_path: Path) -> None:
    files = extract_frames(video(tmp_path / "a.mp4", 16, fps=8), tmp_path / "frames", fps=4)
    values = [brightness(path) for path in files]
    assert values == sorted(values)
    assert np.diff(values) == pytest.approx([25.0] * 7, abs=4), "every second frame"


def test_the_original_program_s_clip_gives_its_11_frames_at_2_per_second(tmp_path: Path) -> None:
    clip = video(tmp_path / "a.mp4", 167, fps=30, width=16, height=16)  # 5.57 s
    assert len(extract_frames(clip, tmp_path / "frames", fps=2)) == 11


def test_pictures_keep_what_the_video_holds_without_another_loss(tmp_path: Path) -> None:
    clip = video_with_audio(tmp_path / "a.mp4", seconds=0.5)
    streamed = list(iter_frames(clip))
    kept = [read_frame(path) for path in extract_frames(clip, tmp_path / "frames")]
    assert len(streamed) == 5
    assert all(np.array_equal(one, other) for one, other in zip(streamed, kept, strict=True))


def test_frames_of_an_earlier_run_go_and_other_files_stay(tmp_path: Path) -> None:
    clip, folder = video(tmp_path / "a.mp4", 3, fps=5), tmp_path / "frames"
    extract_frames(video(tmp_path / "b.mp4", 6, fps=5), folder)
    (folder / "notes.txt").write_text("mine")
    (folder / "cat.png").write_bytes(b"mine too")
    extract_frames(clip, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "00000.png",
        "00001.png",
        "00002.png",
        "cat.png",
        "notes.txt",
    ]


def test_a_folder_s_name_is_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "100%d-frames"
    assert len(extract_frames(video(tmp_path / "a.mp4", 2, fps=5), folder)) == 2
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("name", ["-y.mp4", "http:x.mp4", "a b'$HOME`.mp4"])
def test_a_video_s_name_is_neither_an_option_nor_an_address(tmp_path: Path, name: str) -> None:
    assert probe_video(video(tmp_path / name, 2, fps=5)).width == 48


def test_whoever_wants_no_more_frames_stops(tmp_path: Path) -> None:
    pictures = iter_frames(video(tmp_path / "a.mp4", 40, fps=5, width=640, height=480))
    assert next(pictures).shape == (480, 640, 3)
    pictures.close()


class TestProbe:
    def test_it_tells_size_rate_length_and_sound(self, tmp_path: Path) -> None:
        facts = probe_video(video_with_audio(tmp_path / "a.mp4", seconds=1.5))
        assert (facts.width, facts.height, facts.fps) == (64, 48, Fraction(10))
        assert facts.seconds == pytest.approx(1.5, abs=0.1)
        assert facts.audio == "aac"

    def test_a_rate_that_is_no_whole_number_is_told_exactly(self, tmp_path: Path) -> None:
        run_ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32:rate=30000/1001:duration=0.2", str(tmp_path / "a.mp4"))
        assert probe_video(tmp_path / "a.mp4").fps == Fraction(30000, 1001)

    def test_a_silent_video_has_no_audio(self, tmp_path: Path) -> None:
        assert probe_video(video(tmp_path / "a.mp4", 2, fps=5)).audio is None

    def test_a_turned_video_is_as_large_as_it_is_shown(self, tmp_path: Path) -> None:
        clip = video(tmp_path / "a.mp4", 2, fps=5)
        run_ffmpeg("-display_rotation", "90", "-i", str(clip), "-c", "copy", str(tmp_path / "turned.mp4"))
        facts = probe_video(tmp_path / "turned.mp4")
        assert (facts.width, facts.height) == (32, 48)
        assert next(iter_frames(tmp_path / "turned.mp4")).shape == (48, 32, 3)

    @pytest.mark.parametrize(
        ("name", "encoder", "codec"), [("a.mp3", "libmp3lame", "mp3"), ("a.wav", "pcm_s16le", "pcm_s16le")]
    )
    def test_a_sound_file_has_a_codec_and_is_no_video(
        self, tmp_path: Path, name: str, encoder: str, codec: str
    ) -> None:
        sound = tone(tmp_path / name, seconds=0.2, codec=encoder)
        assert probe_audio_codec(sound) == codec
        with pytest.raises(BadInput, match=f"'{name}' is not a video"):
            probe_video(sound)

    def test_the_cover_of_a_song_is_no_video(self, tmp_path: Path) -> None:
        song = tone(tmp_path / "a.mp3", seconds=0.2, codec="libmp3lame")
        run_ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32:duration=1", "-frames:v", "1", str(tmp_path / "cover.png"))
        covered, maps = tmp_path / "b.mp3", ("-map", "0:a", "-map", "1:v", "-disposition:v", "attached_pic")
        run_ffmpeg("-i", str(song), "-i", str(tmp_path / "cover.png"), *maps, "-c", "copy", str(covered))
        assert probe_audio_codec(covered) == "mp3"
        with pytest.raises(BadInput, match="not a video"):
            probe_video(covered)


class TestRefusals:
    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=r"there is no file 'a\.mp4'"):
            extract_frames(tmp_path / "a.mp4", tmp_path / "frames")
        assert not (tmp_path / "frames").exists()

    def test_a_file_that_is_no_video_leaves_the_old_frames(self, tmp_path: Path) -> None:
        extract_frames(video(tmp_path / "a.mp4", 2, fps=5), tmp_path / "frames")
        (tmp_path / "b.mp4").write_text("a novel")
        with pytest.raises(BadInput, match=r"'b\.mp4' is not a video that ffmpeg can read"):
            extract_frames(tmp_path / "b.mp4", tmp_path / "frames")
        assert len(list((tmp_path / "frames").iterdir())) == 2

    @pytest.mark.parametrize("fps", [0, -1, 241, float("nan"), float("inf")])
    def test_a_rate_out_of_range(self, tmp_path: Path, fps: float) -> None:
        with pytest.raises(ValueError, match="fps must be above 0 and at most 240"):
            extract_frames(video(tmp_path / "a.mp4", 2, fps=5), tmp_path / "frames", fps=fps)

    def test_a_rate_so_low_that_nothing_is_left(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="no frame"):
            extract_frames(video(tmp_path / "a.mp4", 2, fps=5), tmp_path / "frames", fps=0.001)
        assert list((tmp_path / "frames").iterdir()) == []

    def test_a_video_that_breaks_off_is_not_taken_for_a_shorter_one(self, tmp_path: Path) -> None:
        whole = tmp_path / "whole.mp4"
        run_ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=6", "-movflags", "+faststart", str(whole))
        content = whole.read_bytes()
        (tmp_path / "a.mp4").write_bytes(content[: len(content) * 7 // 10])
        with pytest.raises(BadInput, match=r"'a\.mp4' is truncated or damaged; re-encode it"):
            extract_frames(tmp_path / "a.mp4", tmp_path / "frames")
        assert list((tmp_path / "frames").iterdir()) == []

    def test_a_playlist_that_calls_itself_a_video_opens_no_connection(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")
        with pytest.raises(BadInput):
            probe_video(tmp_path / "a.mp4")

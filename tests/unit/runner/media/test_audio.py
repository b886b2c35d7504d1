"""Sound carried over: which codec arrives, how long it is, and that the picture is not touched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import av
import pytest
from videojob_runner.errors import BadInput
from videojob_runner.media.audio import copy_audio
from videojob_runner.media.decode import probe_audio_codec
from videojob_runner.media.encode import VideoEncoding, write_mp4

from tests.unit.runner.media.clips import brightening, tone, video, video_with_audio


def pictures(path: Path) -> str:
    """A digest of the compressed pictures."""
    with av.open(str(path)) as container:
        return hashlib.sha256(b"".join(bytes(packet) for packet in container.demux(video=0))).hexdigest()


def lengths(path: Path) -> tuple[float, float]:
    """Seconds of picture and of sound."""
    with av.open(str(path)) as container:
        times = [(stream.duration or 0) * (stream.time_base or 0) for stream in container.streams]
        return float(times[0]), float(times[1])


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    return video(tmp_path / "silent.mp4", 10, fps=10)  # one second


@pytest.mark.parametrize(
    ("name", "encoder", "arrives"),
    [
        ("a.m4a", "aac", "aac"),
        ("a.mp3", "libmp3lame", "mp3"),
        ("a.opus", "libopus", "opus"),
        ("a.wav", "pcm_s16le", "aac"),
        ("a.ogg", "libvorbis", "aac"),
        ("a.flac", "flac", "aac"),
    ],
)
def test_a_codec_that_players_know_is_kept_and_any_other_becomes_aac(
    silent: Path, tmp_path: Path, name: str, encoder: str, arrives: str
) -> None:
    sound = tone(tmp_path / name, seconds=1, codec=encoder)
    assert copy_audio(silent, sound, tmp_path / "out.mp4")
    assert probe_audio_codec(tmp_path / "out.mp4") == arrives


def test_the_sound_of_a_video_is_carried_over_and_its_picture_is_not(silent: Path, tmp_path: Path) -> None:
    copy_audio(silent, video_with_audio(tmp_path / "talkie.mp4", seconds=1), tmp_path / "out.mp4")
    assert pictures(tmp_path / "out.mp4") == pictures(silent)


@pytest.mark.parametrize(("seconds", "heard"), [(3.0, 1.0), (0.4, 0.4)])
def test_the_picture_decides_the_length(silent: Path, tmp_path: Path, seconds: float, heard: float) -> None:
    copy_audio(silent, tone(tmp_path / "a.m4a", seconds=seconds, codec="aac"), tmp_path / "out.mp4")
    seen, found = lengths(tmp_path / "out.mp4")
    assert seen == pytest.approx(1.0, abs=0.01)
    assert found == pytest.approx(heard, abs=0.06), "a frame of AAC lasts 23 ms"


def test_a_silent_source_changes_nothing_and_is_no_error(silent: Path, tmp_path: Path) -> None:
    source = video(tmp_path / "other.mp4", 3, fps=10)
    assert not copy_audio(silent, source, tmp_path / "out.mp4")
    assert (probe_audio_codec(tmp_path / "out.mp4"), pictures(tmp_path / "out.mp4")) == (None, pictures(silent))


def test_a_video_may_get_its_sound_in_place(silent: Path, tmp_path: Path) -> None:
    assert copy_audio(silent, tone(tmp_path / "a.mp3", seconds=1, codec="libmp3lame"), silent)
    assert probe_audio_codec(silent) == "mp3"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp3", "silent.mp4"]


def test_title_and_comment_stay(tmp_path: Path) -> None:
    sound = tone(tmp_path / "a.mp3", seconds=1, codec="libmp3lame")
    about = {"title": "sunset", "comment": "seed: 7"}
    write_mp4(tmp_path / "a.mp4", brightening(10), VideoEncoding(fps=10, metadata=about, audio=sound))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert {key: container.metadata[key] for key in about} == about
        assert [stream.type for stream in container.streams] == ["video", "audio"]


def test_interpolated_frames_stay_in_step_with_the_sound(tmp_path: Path) -> None:
    sound = tone(tmp_path / "a.m4a", seconds=5, codec="aac")
    write_mp4(tmp_path / "a.mp4", brightening(10), VideoEncoding(fps=10, motion_fps=25, audio=sound))
    assert lengths(tmp_path / "a.mp4") == pytest.approx((1.0, 1.0), abs=0.06)


def test_sound_that_cannot_be_read_leaves_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_text("a poem")
    with pytest.raises(BadInput, match=r"'a\.mp3' is not a file that ffmpeg can read"):
        write_mp4(tmp_path / "a.mp4", brightening(3), VideoEncoding(audio=tmp_path / "a.mp3"))
    with pytest.raises(BadInput, match=r"there is no file 'b\.mp3'"):
        write_mp4(tmp_path / "a.mp4", brightening(3), VideoEncoding(audio=tmp_path / "b.mp3"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp3"]

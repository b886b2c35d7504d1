"""The quirk register (specification vqgan-clip §10), rows of the video tools."""

from __future__ import annotations

import io
import re
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from videojob_runner.media.audio import copy_audio
from videojob_runner.media.decode import extract_frames, iter_frames, probe_audio_codec
from videojob_runner.media.frames import RgbImage, read_frame, save_png
from videojob_runner.media.metadata import read_metadata, save_image
from videojob_runner.post import from_folder, upscale, write_video

from tests.unit.runner.media.clips import sliding, video, video_with_audio

TOOLS = (Path(__file__).parents[4] / "docs" / "video-tools.md").read_text()


class FailsOnce:
    """Enlarges every picture but the third."""

    def __init__(self) -> None:
        self.calls = 0

    def upscale(self, pixels: RgbImage, *, scale: float | None = None, tile: int = 256) -> RgbImage:
        self.calls += 1
        if self.calls == 3:
            raise RuntimeError("no memory for picture 3")
        return pixels.repeat(2, axis=0).repeat(2, axis=1)


def folder_of(tmp_path: Path, count: int) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, pixels in enumerate(sliding(count)):
        save_png(folder / f"{index:05}.png", pixels, {"seed": str(index)})
    return folder


def test_q_14_one_picture_that_cannot_be_enlarged_ends_the_work_and_no_shorter_video_is_left(tmp_path: Path) -> None:
    large = upscale(from_folder(folder_of(tmp_path, 5), fps=5), FailsOnce(), keep=tmp_path / "large")
    with pytest.raises(RuntimeError, match="picture 3"):
        write_video(large, tmp_path / "a.mp4")
    assert not (tmp_path / "a.mp4").exists()


def test_q_14_the_call_that_follows_makes_the_missing_pictures_and_the_whole_video(tmp_path: Path) -> None:
    frames, keep, upscaler = folder_of(tmp_path, 5), tmp_path / "large", FailsOnce()
    with pytest.raises(RuntimeError):
        write_video(upscale(from_folder(frames, fps=5), upscaler, keep=keep), tmp_path / "a.mp4")
    again = upscale(from_folder(frames, fps=5), upscaler, keep=keep, resume=True)
    assert write_video(again, tmp_path / "a.mp4") == 5
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5
    assert upscaler.calls == 6, "one failed, none was made twice"


def test_q_14_a_gap_among_frames_is_named_where_the_original_s_encoder_stops_without_a_word(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 6)
    (folder / "00003.png").unlink()
    with pytest.raises(ValueError, match=r"frame 3 is missing .* found 00004\.png"):
        from_folder(folder, fps=5)


def test_q_15_a_silent_source_is_no_exception_and_leaves_a_silent_video(tmp_path: Path) -> None:
    silent, source = video(tmp_path / "silent.mp4", 10, fps=10), video(tmp_path / "source.mp4", 4, fps=10)
    assert not copy_audio(silent, source, tmp_path / "out.mp4")
    assert probe_audio_codec(tmp_path / "out.mp4") is None


@pytest.mark.parametrize(
    ("name", "encoder", "arrives"),
    [("a.mp4", "aac", "aac"), ("a.mp4", "libmp3lame", "mp3"), ("a.mkv", "libopus", "opus"), ("a.mkv", "flac", "aac")],
)
def test_q_15_sound_that_is_not_aac_arrives_too_and_ends_with_the_picture(
    tmp_path: Path, name: str, encoder: str, arrives: str
) -> None:
    silent = video(tmp_path / "silent.mp4", 10, fps=10)  # one second; the sound has two
    assert copy_audio(silent, video_with_audio(tmp_path / name, seconds=2, codec=encoder), tmp_path / "out.mp4")
    assert probe_audio_codec(tmp_path / "out.mp4") == arrives
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(1, abs=0.06)


def test_q_17_frames_taken_from_a_film_are_what_the_codec_gives_and_no_jpegs_of_it(tmp_path: Path) -> None:
    film = video(tmp_path / "film.mp4", 3, fps=3)
    files = extract_frames(film, tmp_path / "frames")
    assert [path.read_bytes()[:4] for path in files] == [b"\x89PNG"] * 3
    for path, decoded in zip(files, iter_frames(film), strict=True):
        assert np.array_equal(read_frame(path), decoded)


def test_q_17_a_jpeg_is_written_with_the_tables_of_quality_95(tmp_path: Path) -> None:
    picture, best = next(sliding(1)), io.BytesIO()
    save_image(tmp_path / "a.jpg", picture)
    Image.fromarray(picture).save(best, format="JPEG", quality=95)
    with Image.open(tmp_path / "a.jpg") as ours, Image.open(best) as expected:
        assert ours.quantization == expected.quantization  # type: ignore[attr-defined]


def test_q_17_whoever_needs_jpegs_under_the_old_names_makes_them_as_the_documentation_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path, 3)
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", TOOLS.partition("## JPEG")[2], flags=re.DOTALL)
    exec(example, {})
    names = sorted(path.name for path in (tmp_path / "jpegs").iterdir())
    assert names == [f"frame_{number:012}.jpg" for number in (1, 2, 3)]
    assert read_metadata(tmp_path / "jpegs" / names[2]) == {"seed": "2"}


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.JPEG", "a.bmp", "a.webp"])
def test_q_34_a_picture_can_be_saved_without_metadata(tmp_path: Path, name: str) -> None:
    save_image(tmp_path / name, next(sliding(1)))
    assert read_frame(tmp_path / name).shape == (48, 96, 3)


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.JPEG"])
def test_q_34_either_ending_of_a_jpeg_keeps_its_metadata(tmp_path: Path, name: str) -> None:
    save_image(tmp_path / name, next(sliding(1)), {"text_prompts": "a red circle", "seed": 0})
    assert read_metadata(tmp_path / name) == {"text_prompts": "a red circle", "seed": "0"}


def test_q_34_what_went_wrong_is_said_in_the_words_of_whoever_found_it(tmp_path: Path) -> None:
    """The original called everything an unknown file format."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save_image(tmp_path / "nowhere" / "a.png", next(sliding(1)))
    with pytest.raises(ValueError, match="unknown file extension"):
        save_image(tmp_path / "a.picture", next(sliding(1)))

"""Small videos and sounds whose content is known because it was made here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from videojob_runner.media.encode import VideoEncoding, write_mp4
from videojob_runner.media.ffmpeg import ffmpeg_path
from videojob_runner.media.frames import RgbImage


def brightening(count: int, *, width: int = 48, height: int = 32) -> Iterator[RgbImage]:
    """Grey frames, each brighter than the last: frame i of n has the value 20 + 200·i/n."""
    for index in range(count):
        yield np.full((height, width, 3), 20 + 200 * index // count, dtype=np.uint8)


def sliding(count: int, *, step: int = 4, width: int = 96, height: int = 48) -> Iterator[RgbImage]:
    """A red square of 16 pixels on dark grey that moves `step` pixels to the right with each frame."""
    for index in range(count):
        frame = np.full((height, width, 3), 40, dtype=np.uint8)
        left = 4 + step * index
        frame[16:32, left : left + 16] = (220, 60, 60)
        yield frame


def centre(frame: RgbImage) -> float:
    """The horizontal centre of mass of what is redder than the grey around it, in pixels."""
    weight = np.clip(frame[..., 0].astype(float) - 44, 0, None).sum(axis=0)
    return float(weight @ np.arange(len(weight)) / weight.sum())


def video(path: Path, count: int, *, fps: float, width: int = 48, height: int = 32) -> Path:
    """A silent mp4 of brightening frames."""
    write_mp4(path, brightening(count, width=width, height=height), VideoEncoding(fps=fps, crf=10))
    return path


def run_ffmpeg(*arguments: str) -> None:
    """One call of ffmpeg that must succeed."""
    subprocess.run([ffmpeg_path(), "-y", "-loglevel", "error", *arguments], check=True, timeout=60)


def tone(path: Path, *, seconds: float, codec: str) -> Path:
    """A sound file: 440 Hz in the codec that the name of ffmpeg's encoder says."""
    run_ffmpeg("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}", "-c:a", codec, str(path))
    return path


def video_with_audio(path: Path, *, seconds: float, codec: str = "aac") -> Path:
    """A video with a sound track of the same length."""
    picture = ("-f", "lavfi", "-i", f"testsrc=size=64x48:rate=10:duration={seconds}")
    sound = ("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}")
    run_ffmpeg(*picture, *sound, "-c:v", "libx264", "-c:a", codec, str(path))
    return path

"""
The one writer of mp4 files: raw RGB frames through a pipe into ffmpeg, H.264 in yuv420p.

No shell, no file patterns, no working directory: names and prompts never become options. The same frames give the same
bytes on every machine with the same ffmpeg: bit-exact flags, no dates, and a fixed number of threads, because x264's
decisions depend on it. The file appears under its name only when ffmpeg has ended well and has counted our frames.

On the way frames may become more by motion interpolation, and the sound of another file may be added at the end.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, cast

import numpy as np

from videojob_runner.errors import EncodingFailed
from videojob_runner.media.audio import copy_audio
from videojob_runner.media.ffmpeg import QUIET, ffmpeg_path, stderr_tail
from videojob_runner.media.frames import RgbImage
from videojob_runner.media.interpolate import interpolate_frames

X264_THREADS = 4
"""Of x264; a constant rather than the machine's cores, so that the bytes are the same everywhere."""

# RGB has no matrix of its own; we say which one we used, or players guess by the height of the picture.
_COLOURS = "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
_TAGS = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEncoding:
    """How an mp4 is made."""

    fps: float = 24
    """Frames per second, > 0."""
    crf: int = 23
    """Quality from 0 (lossless) to 51."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Title, comment and the like."""
    motion_fps: float | None = None
    """Frames per second to reach by motion interpolation, > `fps`; see `interpolate`. None: the frames as they are."""
    audio: Path | None = None
    """A file whose first sound track the video gets, if it has any; see `audio`."""


def write_mp4(target: Path, frames: Iterable[RgbImage], encoding: VideoEncoding) -> int:
    """
    Encodes `frames` (H×W×3 of uint8, all of one size) to `target` and returns how many frames the video has.

    Odd sizes grow by one repeated row or column, since yuv420p has half the colour samples each way.
    Raises EncodingFailed, with ffmpeg's last words, and then leaves nothing new at `target`; BadInput for an unreadable
    sound file; ValueError for a `motion_fps` that is no higher than `fps`.
    """
    if encoding.motion_fps is not None:
        frames = interpolate_frames(frames, fps=encoding.fps, to=encoding.motion_fps)
        encoding = replace(encoding, fps=encoding.motion_fps, motion_fps=None)
    queue = iter(frames)
    first = next(queue, None)
    if first is None:
        raise EncodingFailed("there is no frame to encode")
    part = target.with_name(f".{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        count = _run_ffmpeg(part, first, itertools.chain([first], queue), encoding)
        if encoding.audio is not None:
            copy_audio(part, encoding.audio, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return count


def _command(part: Path, *, width: int, height: int, encoding: VideoEncoding) -> list[str]:
    rate = Fraction(encoding.fps).limit_denominator(100_000)
    metadata = [word for key, value in encoding.metadata.items() for word in ("-metadata", f"{key}={value}")]
    return [
        *(ffmpeg_path(), *QUIET, "-y"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width}x{height}", "-framerate", str(rate)),
        *("-i", "pipe:0", "-an", "-map_metadata", "-1", *metadata),
        *("-vf", _COLOURS, "-c:v", "libx264", "-crf", str(encoding.crf), "-pix_fmt", "yuv420p", *_TAGS),
        *("-threads", str(X264_THREADS), "-flags:v", "+bitexact", "-fflags", "+bitexact"),
        *("-movflags", "+faststart", "-f", "mp4", "-progress", "pipe:1", f"file:{part}"),
    ]


def _run_ffmpeg(part: Path, first: RgbImage, frames: Iterable[RgbImage], encoding: VideoEncoding) -> int:
    height, width = _even(first).shape[:2]
    # Files rather than pipes for what ffmpeg says: nobody reads while we write, and a full pipe would stop both.
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as progress:
        process = subprocess.Popen(
            _command(part, width=width, height=height, encoding=encoding),
            stdin=subprocess.PIPE,
            stdout=progress,
            stderr=said,
            start_new_session=True,  # Ctrl-C is for us: a video that is nearly done gets done
        )
        try:
            count = _feed(cast(IO[bytes], process.stdin), frames, shape=first.shape)
        finally:  # its input is closed by now, so it comes to an end by itself
            process.wait()
        encoded = _last_frame_number(progress)
        if process.returncode != 0 or encoded != count:
            raise EncodingFailed(f"ffmpeg ended with {process.returncode} after {encoded} frames: {stderr_tail(said)}")
    return count


def _feed(pipe: IO[bytes], frames: Iterable[RgbImage], *, shape: tuple[int, ...]) -> int:
    """Writes all frames into ffmpeg and closes its input; what a broken pipe means is for ffmpeg to say."""
    count = 0
    with contextlib.suppress(BrokenPipeError), pipe:
        for frame in frames:
            if frame.shape != shape:
                raise EncodingFailed(f"frame {count} is {_size(frame.shape)}, the first one is {_size(shape)}")
            pipe.write(_even(frame).tobytes())
            count += 1
    return count


def _even(frame: RgbImage) -> RgbImage:
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}×{shape[0]}"


def _last_frame_number(progress: IO[str]) -> int:
    progress.seek(0)
    numbers = re.findall(r"^frame=(\d+)$", progress.read(), flags=re.MULTILINE)
    return int(numbers[-1]) if numbers else 0

"""
Videos as pictures: what a file holds, its frames one by one, and its frames as PNG files (specification §5.1).

Frames come through a pipe as portable pixmaps, each with its own size, so nothing has to be known beforehand: a
phone's rotation is applied, odd sizes stay. They are kept without loss; what begins as JPEG would carry its blocks
into everything that is made of it (quirk Q-17).
"""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, cast

import numpy as np

from videojob_runner.errors import BadInput
from videojob_runner.media.ffmpeg import QUIET, ffmpeg_path, input_arguments, stderr_tail, tail
from videojob_runner.media.frames import FrameWriter, RgbImage, clear_frames, list_frames

MAX_FPS = 240.0
"""Frames per second beyond which nobody means it."""
_RGB = "scale=flags=bicubic+accurate_rnd+full_chroma_int"
_PROBE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """What a video file holds, as it will be shown: pixels after rotation, frames per second, length."""

    width: int
    height: int
    fps: Fraction
    seconds: float
    """0 where the file does not say."""
    audio: str | None = None
    """Codec of the first sound track, in ffmpeg's words; None: it is silent."""


def probe_video(video: Path) -> VideoInfo:
    """Looks at a video and decodes its first frame. Raises BadInput when it is missing or no video."""
    said = _describe(video)
    first = re.search(r"\bn:\s*0\b.* s:(\d+)x(\d+) ", said)
    rate = re.search(r"frame_rate: (\d+)/(\d+)", said)
    if first is None or rate is None:
        raise BadInput(f"{video.name!r} is not a video that ffmpeg can read: {tail(said)}")
    return VideoInfo(
        width=int(first[1]),
        height=int(first[2]),
        fps=Fraction(int(rate[1]), max(int(rate[2]), 1)),
        seconds=_seconds(said),
        audio=_audio(said),
    )


def probe_audio_codec(source: Path) -> str | None:
    """The codec of a file's first sound track, video or not; None: there is none. Raises BadInput."""
    said = _describe(source)
    if "Input #0" not in said:
        raise BadInput(f"{source.name!r} is not a file that ffmpeg can read: {tail(said)}")
    return _audio(said)


def iter_frames(video: Path, *, fps: float | None = None) -> Generator[RgbImage, None, None]:
    """
    The frames of a video in order, at `fps` frames per second (> 0, ≤ 240), or each of its own frames once.

    Raises BadInput when it is missing, no video, or breaks off.
    """
    _check_rate(fps)
    _check_file(video)
    rate = [] if fps is None else [f"fps={Fraction(fps).limit_denominator(100_000)}"]
    command = [
        *(
            ffmpeg_path(),
            *QUIET,
            "-xerror",
            *input_arguments(video),
            "-map",
            "0:V:0",
        ),  # or a broken file would just be shorter
        *("-vf", ",".join([*rate, _RGB]), "-fps_mode", "passthrough"),
        *("-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "pipe:1"),
    ]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        pipe = cast(IO[bytes], process.stdout)
        try:
            yield from _pixmaps(pipe)
            if process.wait() != 0:
                raise BadInput(f"{video.name!r} is truncated or damaged; re-encode it: {stderr_tail(said)}")
        finally:
            pipe.close()  # whoever wants no more frames: ffmpeg ends on the broken pipe
            process.wait()


def extract_frames(video: Path, folder: Path, *, fps: float | None = None) -> list[Path]:
    """
    Writes the frames of a video into `folder`, which it makes, as `00000.png` and so on; the paths in order.

    `fps` as in `iter_frames`. Frames that lie there already go, other files stay. Raises BadInput when there is no
    frame, ValueError for a rate out of range, and then leaves no frame behind.
    """
    _check_rate(fps)
    facts = probe_video(video)
    most = math.ceil(facts.seconds * float(facts.fps if fps is None else fps)) + 1
    clear_frames(folder)
    with ExitStack() as undo:
        undo.callback(clear_frames, folder)
        with FrameWriter(folder, total=most) as writer, closing(iter_frames(video, fps=fps)) as pictures:
            for index, picture in enumerate(pictures):
                writer.write(index, picture)
        undo.pop_all()
    if not (files := list_frames(folder)):
        raise BadInput(f"{video.name!r} has no frame at {fps} frames per second; use a higher fps")
    return files


def _check_rate(fps: float | None) -> None:
    if fps is not None and not 0 < fps <= MAX_FPS:
        raise ValueError(f"fps must be above 0 and at most {MAX_FPS:g} frames per second, not {fps}")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise BadInput(f"there is no file {path.name!r}; name a video")


def _describe(path: Path) -> str:
    """What ffmpeg says about a file's streams, and about its first picture when it has any."""
    _check_file(path)
    command = [ffmpeg_path(), "-hide_banner", "-nostats", *input_arguments(path), "-map", "0:V:0", "-frames:v", "1"]
    answer = subprocess.run(
        [*command, "-vf", "showinfo=checksum=0", "-f", "null", "-"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=_PROBE_SECONDS,
    )
    return answer.stderr.decode(errors="replace")


def _seconds(said: str) -> float:
    found = re.search(r"Duration: (\d+):(\d+):(\d+\.\d+)", said)
    return 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3]) if found else 0.0


def _audio(said: str) -> str | None:
    # What a file says about itself comes before "Output #0", where what we make of it begins.
    found = re.search(r"^ *Stream #0:.*?: Audio: (\w+)", said.partition("Output #0")[0], flags=re.MULTILINE)
    return found[1] if found else None


def _pixmaps(pipe: IO[bytes]) -> Iterator[RgbImage]:
    """The pictures in a stream of binary portable pixmaps; ends at the first that is not whole."""
    while pipe.readline() == b"P6\n":
        width, height = map(int, pipe.readline().split())
        pipe.readline()  # the largest value, always 255
        data = pipe.read(width * height * 3)
        if len(data) < width * height * 3:
            return
        yield np.frombuffer(data, dtype=np.uint8).reshape(height, width, 3)

"""
Frame-rate conversion with ffmpeg's motion-compensated `minterpolate` (specification §5.2).

Left to itself the filter swallows the end: 120 frames at 30 in a second become 237 at 60. Here the last frame is fed a
few times more and what goes beyond the length is dropped, so the result lasts exactly as long as its source and sound
stays in step: n frames become ⌈n·to/fps⌉. Where both rates meet, the frame shown is the source's own.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Final, cast

import numpy as np

from videojob_runner.errors import BadInput, EncodingFailed
from videojob_runner.media.ffmpeg import QUIET, ffmpeg_path, stderr_tail
from videojob_runner.media.frames import RgbImage

MAX_FPS: Final = 240.0
MIN_SIDE: Final = 16
"""Pixels each way: two blocks of the motion search."""
_PADDING: Final = 3
"""Times that the last frame is fed again: the filter looks that far ahead."""

# In full-range 4:4:4, so that colours and edges pass unharmed; the search is upstream's own, Specification §5.2.
_SWS = "flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
_SEARCH = "mi_mode=mci:me=hexbs:me_mode=bidir:mc_mode=aobmc:vsbmc=1:mb_size=8:search_param=32"
_FILTERS = (
    f"scale=out_color_matrix=bt709:out_range=pc:{_SWS},format=yuv444p,minterpolate=fps={{to}}:{_SEARCH},"
    f"scale=in_color_matrix=bt709:in_range=pc:{_SWS},format=rgb24"
)


def interpolate_frames(frames: Iterable[RgbImage], *, fps: float, to: float) -> Generator[RgbImage, None, None]:
    """
    `frames` (H×W×3 of uint8, all of one size, at `fps` in a second) at `to` in a second; 0 < fps < to ≤ 240.

    Raises ValueError for other rates, BadInput for frames below 16×16, EncodingFailed with ffmpeg's last words; an
    error of whoever makes the frames passes through.
    """
    if not 0 < fps < to <= MAX_FPS:
        raise ValueError(
            f"interpolation must increase the frame rate, to at most {MAX_FPS:g} fps; {fps} to {to} does not"
        )
    queue = iter(frames)
    first = next(queue, None)
    if first is None:
        return
    height, width = first.shape[:2]
    if min(width, height) < MIN_SIDE:
        raise BadInput(f"interpolation needs frames of at least 16×16 pixels, not {width}×{height}; upscale them first")
    feed = _Feed(itertools.chain([first], queue), ratio=_rate(to) / _rate(fps), shape=first.shape)
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            _command(width=width, height=height, fps=fps, to=to),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
        )
        yield from _through(process, feed, said)


@dataclass(slots=True)
class _Feed:
    """The frames on their way into ffmpeg, in a thread of their own: it answers while it is being fed."""

    frames: Iterable[RgbImage]
    ratio: Fraction
    """Frames that come out for each that goes in."""
    shape: tuple[int, ...]
    taken: int = 0

    @property
    def target_count(self) -> int:
        """How many frames the length so far holds at the new rate."""
        return math.ceil(self.taken * self.ratio)

    def run(self, pipe: IO[bytes]) -> None:
        """Writes all frames and the padding, and closes the pipe; whoever reads says what a broken pipe means."""
        last = b""
        with contextlib.suppress(BrokenPipeError), pipe:
            for frame in self.frames:
                if frame.shape != self.shape:
                    raise EncodingFailed(f"frame {self.taken} is {frame.shape}, the first one is {self.shape}")
                last = frame.tobytes()
                self.taken += 1  # before it is written: a frame that comes out was counted
                pipe.write(last)
            for _ in range(_PADDING):
                pipe.write(last)


def _through(process: subprocess.Popen[bytes], feed: _Feed, said: IO[str]) -> Iterator[RgbImage]:
    """What ffmpeg makes of the feed, without the padding."""
    answers, size, made = cast(IO[bytes], process.stdout), math.prod(feed.shape), 0
    with ThreadPoolExecutor(1, thread_name_prefix="feed") as threads:
        feeding = threads.submit(feed.run, cast(IO[bytes], process.stdin))
        try:
            while len(data := answers.read(size)) == size:
                if made < feed.target_count:
                    made += 1
                    yield np.frombuffer(data, dtype=np.uint8).reshape(feed.shape)
            feeding.result()
            if process.wait() != 0 or made != feed.target_count:
                raise EncodingFailed(f"ffmpeg made {made} frames instead of {feed.target_count}: {stderr_tail(said)}")
        finally:
            answers.close()  # whoever wants no more frames: ffmpeg ends on the broken pipe, and then the feed does
            process.wait()


def _command(*, width: int, height: int, fps: float, to: float) -> list[str]:
    return [
        *(ffmpeg_path(), *QUIET, "-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width}x{height}"),
        *("-framerate", str(_rate(fps)), "-i", "pipe:0", "-vf", _FILTERS.format(to=_rate(to))),
        *("-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1"),
    ]


def _rate(fps: float) -> Fraction:
    return Fraction(fps).limit_denominator(100_000)

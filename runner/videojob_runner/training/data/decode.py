"""Video files as frames, through PyAV: one frame in memory at a time, nothing executed, no shell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from videojob_runner.media.frames import RgbImage


class UndecodableVideo(ValueError):
    """A file that holds no video, or a damaged one; the text names it."""


@dataclass(frozen=True, slots=True)
class VideoStreamInfo:
    """What a video file says about itself."""

    height: int
    width: int
    fps: float
    """Mean frames per second; 0 if the file does not say."""
    frames: int
    """0 if the file does not say."""


def probe_video(path: Path) -> VideoStreamInfo:
    """Size, rate and length of a file's first video stream, without decoding. Raises UndecodableVideo."""
    try:
        with av.open(str(path)) as container:
            stream = _video_stream(container, path)
            return VideoStreamInfo(stream.height, stream.width, float(stream.average_rate or 0), stream.frames)
    except (av.FFmpegError, OSError) as error:
        raise UndecodableVideo(f"{path.name}: cannot be read as a video ({error})") from error


def decode_video(
    path: Path, *, every: int = 1, size: tuple[int, int] | None = None, max_frames: int | None = None
) -> Iterator[RgbImage]:
    """
    Every `every`-th frame of a file's first video stream, from the first on, at most `max_frames` of them.

    `size` (height, width) squashes them, by areas where they become smaller. Metadata that turns frames is ignored.
    Raises UndecodableVideo if the file holds no video, or is damaged before the last frame.
    """
    count = 0
    try:
        with av.open(str(path)) as container:
            stream = _video_stream(container, path)
            stream.thread_type = "AUTO"
            for index, frame in enumerate(container.decode(stream)):
                if max_frames is not None and count >= max_frames:
                    return
                if index % every == 0:
                    yield _to_image(frame, size)
                    count += 1
    except (av.FFmpegError, OSError) as error:
        raise UndecodableVideo(f"{path.name}: cannot be decoded after {count} frames ({error})") from error
    if count == 0:
        raise UndecodableVideo(f"{path.name}: has no frames")


def _video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    if not container.streams.video:
        raise UndecodableVideo(f"{path.name}: has no video stream")
    return container.streams.video[0]


def _to_image(frame: av.VideoFrame, size: tuple[int, int] | None) -> RgbImage:
    if size is None:
        return np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
    height, width = size
    return np.ascontiguousarray(frame.to_ndarray(format="rgb24", height=height, width=width, interpolation="AREA"))

"""
Stream of frames through the post-processing steps: upscale, interpolate, add audio, encode (specification §5).

Footage is frames on their way, in order and only when somebody asks for them, with the rate at which they are shown.
Each step takes footage and gives footage, so steps can be put together in any order without holding a video in memory:

    footage = from_folder(Path("frames"), fps=12)
    footage = upscale(footage, Upscaler.load(Pack.open(pack, kind="upscaler")), scale=4, keep=Path("large"))
    footage = add_audio(interpolate(footage, fps=24), Path("song.mp3"))
    write_video(footage, Path("video.mp4"))

Nothing happens before `write_video`, or whoever else walks through `frames`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from videojob_runner.errors import BadInput
from videojob_runner.media.decode import iter_frames, probe_audio_codec, probe_video
from videojob_runner.media.encode import VideoEncoding, write_mp4
from videojob_runner.media.frames import FrameWriter, RgbImage, clear_frames, list_frames, read_frame
from videojob_runner.media.interpolate import interpolate_frames
from videojob_runner.media.limits import MAX_FRAMES


@dataclass(frozen=True, slots=True)
class StreamFrame:
    """One picture (H×W×3 of uint8), and what it says about itself."""

    pixels: RgbImage
    text: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameStream:
    """Frames on their way; they can be walked through once."""

    frames: Iterable[StreamFrame]
    fps: float
    """Frames per second, > 0."""
    audio: Path | None = None
    """A file whose first sound track the video gets."""


class SupportsUpscale(Protocol):
    """What `upscale` needs of an upscaler; `upscaler.model.Upscaler` is one."""

    def upscale(self, pixels: RgbImage, *, scale: float | None = None, tile: int = 256) -> RgbImage:
        """The picture `scale` times as large, worked on in tiles."""


def from_images(files: Sequence[Path], *, fps: float) -> FrameStream:
    """Pictures of any name and format, in the order given; those of PNG files with what they say."""
    return FrameStream(frames=map(_read, files), fps=fps)


def from_folder(folder: Path, *, fps: float) -> FrameStream:
    """The frames in a folder, `00000.png` and so on, with what they say. Raises ValueError for a gap."""
    return from_images(list_frames(folder), fps=fps)


def from_video(video: Path) -> FrameStream:
    """The frames of a video at its own rate, and its sound. Raises BadInput when it is none."""
    facts = probe_video(video)
    return FrameStream(
        frames=map(StreamFrame, iter_frames(video)), fps=float(facts.fps), audio=video if facts.audio else None
    )


def upscale(
    footage: FrameStream,
    upscaler: SupportsUpscale,
    *,
    scale: float | None = None,
    tile: int = 256,
    keep: Path | None = None,
    resume: bool = False,
) -> FrameStream:
    """
    Every frame `scale` times as large; None: as much as the network enlarges by itself.

    `keep`: a folder that gets the large frames as PNG files, with what the small ones say; frames that lie there go
    first, or, with `resume`, are taken for those that an earlier call with the same frames has made.
    """
    if keep is None:
        frames = (
            StreamFrame(upscaler.upscale(frame.pixels, scale=scale, tile=tile), frame.text) for frame in footage.frames
        )
        return replace(footage, frames=frames)
    if not resume:
        clear_frames(keep)
    return replace(footage, frames=_kept(footage.frames, upscaler, keep=keep, scale=scale, tile=tile))


def interpolate(footage: FrameStream, *, fps: float) -> FrameStream:
    """More frames by motion compensation, `fps` in a second. Raises ValueError unless that is a higher rate."""
    pixels = (frame.pixels for frame in footage.frames)
    return replace(footage, frames=map(StreamFrame, interpolate_frames(pixels, fps=footage.fps, to=fps)), fps=fps)


def add_audio(footage: FrameStream, source: Path) -> FrameStream:
    """The sound of another file. Raises BadInput when it is missing, unreadable or silent."""
    if probe_audio_codec(source) is None:
        raise BadInput(f"{source.name!r} has no audio track; use a file with one, or omit the audio")
    return replace(footage, audio=source)


def write_video(footage: FrameStream, target: Path, *, crf: int = 23, metadata: Mapping[str, str] | None = None) -> int:
    """Walks through the footage and writes an mp4; how many frames it has. `crf` and errors as in `write_mp4`."""
    encoding = VideoEncoding(fps=footage.fps, crf=crf, metadata=metadata or {}, audio=footage.audio)
    return write_mp4(target, (frame.pixels for frame in footage.frames), encoding)


def _read(path: Path) -> StreamFrame:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
        return StreamFrame(pixels, {**image.text} if isinstance(image, PngImageFile) else {})


def _kept(
    frames: Iterable[StreamFrame], upscaler: SupportsUpscale, *, keep: Path, scale: float | None, tile: int
) -> Iterator[StreamFrame]:
    with FrameWriter(keep, total=MAX_FRAMES) as writer:
        for index, frame in enumerate(frames):
            path = writer.path(index)
            if path.is_file():
                yield StreamFrame(read_frame(path), frame.text)
                continue
            large = StreamFrame(upscaler.upscale(frame.pixels, scale=scale, tile=tile), frame.text)
            writer.write(index, large.pixels, text=large.text)
            yield large

"""
What is done to frames after they were made: upscale, interpolate, add sound, encode (specification §5).

Footage is frames on their way, in order and only when somebody asks for them, with the rate at which they are shown.
Each step takes footage and gives footage, so steps can be put together in any order without holding a video in memory:

    footage = of_folder(Path("frames"), fps=12)
    footage = upscale(footage, Upscaler.load(Pack.open(pack, kind="upscaler")), scale=4, keep=Path("large"))
    footage = add_sound(interpolate(footage, fps=24), Path("song.mp3"))
    encode(footage, Path("video.mp4"))

Nothing happens before `encode`, or whoever else walks through `frames`.
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
from videojob_runner.media.decode import audio_codec, probe, video_pictures
from videojob_runner.media.encode import Encoding, write_mp4
from videojob_runner.media.frames import FrameWriter, Pixels, clear_frames, frame_files, read_frame
from videojob_runner.media.interpolate import interpolated

MOST_FRAMES = 100_000
"""Beyond which the numbers of kept frames grow wider."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture (H×W×3 of uint8), and what it says about itself."""

    pixels: Pixels
    text: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """Frames on their way; they can be walked through once."""

    frames: Iterable[Frame]
    fps: float
    """Frames per second, > 0."""
    sound: Path | None = None
    """A file whose first sound track the video gets."""


class Enlarges(Protocol):
    """What `upscale` needs of an upscaler; `upscaler.model.Upscaler` is one."""

    def enlarge(self, pixels: Pixels, *, scale: float | None = None, tile: int = 256) -> Pixels:
        """The picture `scale` times as large, worked on in tiles."""


def of_pictures(files: Sequence[Path], *, fps: float) -> Footage:
    """Pictures of any name and format, in the order given; those of PNG files with what they say."""
    return Footage(frames=map(_read, files), fps=fps)


def of_folder(folder: Path, *, fps: float) -> Footage:
    """The frames in a folder, `00000.png` and so on, with what they say. Raises ValueError for a gap."""
    return of_pictures(frame_files(folder), fps=fps)


def of_video(video: Path) -> Footage:
    """The frames of a video at its own rate, and its sound. Raises BadInput when it is none."""
    facts = probe(video)
    return Footage(frames=map(Frame, video_pictures(video)), fps=float(facts.fps), sound=video if facts.audio else None)


def upscale(
    footage: Footage,
    upscaler: Enlarges,
    *,
    scale: float | None = None,
    tile: int = 256,
    keep: Path | None = None,
    resume: bool = False,
) -> Footage:
    """
    Every frame `scale` times as large; None: as much as the network enlarges by itself.

    `keep`: a folder that gets the large frames as PNG files, with what the small ones say; frames that lie there go
    first, or, with `resume`, are taken for those that an earlier call with the same frames has made.
    """
    if keep is None:
        frames = (Frame(upscaler.enlarge(frame.pixels, scale=scale, tile=tile), frame.text) for frame in footage.frames)
        return replace(footage, frames=frames)
    if not resume:
        clear_frames(keep)
    return replace(footage, frames=_kept(footage.frames, upscaler, keep=keep, scale=scale, tile=tile))


def interpolate(footage: Footage, *, fps: float) -> Footage:
    """More frames by motion compensation, `fps` in a second. Raises ValueError unless that is a higher rate."""
    pixels = (frame.pixels for frame in footage.frames)
    return replace(footage, frames=map(Frame, interpolated(pixels, fps=footage.fps, to=fps)), fps=fps)


def add_sound(footage: Footage, source: Path) -> Footage:
    """The sound of another file. Raises BadInput when it is missing, unreadable or silent."""
    if audio_codec(source) is None:
        raise BadInput(f"{source.name!r} has no sound track; name a file with one, or leave the sound out")
    return replace(footage, sound=source)


def encode(footage: Footage, target: Path, *, crf: int = 23, metadata: Mapping[str, str] | None = None) -> int:
    """Walks through the footage and writes an mp4; how many frames it has. `crf` and errors as in `write_mp4`."""
    encoding = Encoding(fps=footage.fps, crf=crf, metadata=metadata or {}, audio=footage.sound)
    return write_mp4(target, (frame.pixels for frame in footage.frames), encoding)


def _read(path: Path) -> Frame:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
        return Frame(pixels, {**image.text} if isinstance(image, PngImageFile) else {})


def _kept(
    frames: Iterable[Frame], upscaler: Enlarges, *, keep: Path, scale: float | None, tile: int
) -> Iterator[Frame]:
    with FrameWriter(keep, total=MOST_FRAMES) as writer:
        for index, frame in enumerate(frames):
            path = writer.path(index)
            if path.is_file():
                yield Frame(read_frame(path), frame.text)
                continue
            large = Frame(upscaler.enlarge(frame.pixels, scale=scale, tile=tile), frame.text)
            writer.write(index, large.pixels, text=large.text)
            yield large

"""
What a style transfer starts from: the frames of a video, or the pictures in a folder, as files in order.

A video is taken apart once, at the beginning, into frames that already have the size of the result; a run that is
resumed takes it apart again and finds the same ones. A folder's pictures are used where they lie.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image
from videojob_api.pipelines.vqgan_clip import StyleTransfer

from videojob_runner.engine.api import RunContext
from videojob_runner.engines.vqgan_clip.config import FIELD
from videojob_runner.errors import BadInput
from videojob_runner.media.decode import probe, video_pictures
from videojob_runner.media.frames import FrameWriter, Pixels, clear_frames, frame_files
from videojob_runner.torch_utils.images import Size, picture_size

SOURCE = f"{FIELD}.styleTransfer.source"
MOST_FRAMES = 100_000


def first_size(style: StyleTransfer, context: RunContext) -> Size:
    """Width and height of the first source frame. Raises BadInput."""
    place = context.input_place(style.source, field=SOURCE)
    if place.is_dir():
        return picture_size(pictures_in(place)[0], field=SOURCE)
    facts = probe(place)
    return facts.width, facts.height


def source_files(style: StyleTransfer, context: RunContext, *, size: Size) -> list[Path]:
    """The source frames' files, those of a video at `size` already. Raises BadInput."""
    place = context.input_place(style.source, field=SOURCE)
    if place.is_dir():
        return pictures_in(place)[: style.frames]
    fps = style.source_fps or context.fps
    clear_frames(context.scratch)
    write_all(context.scratch, islice(video_pictures(place, fps=fps), style.frames), size=size)
    if not (files := frame_files(context.scratch)):
        raise BadInput(f"{SOURCE}: {place.name!r} has no frame at {fps} frames per second; raise sourceFps")
    return files


def write_all(folder: Path, pictures: Iterator[Pixels], *, size: Size) -> None:
    """Writes pictures into `folder`, brought to `size` by Lanczos."""
    with FrameWriter(folder, total=MOST_FRAMES) as writer:
        for index, picture in enumerate(pictures):
            resized = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
            writer.write(index, np.asarray(resized))


def pictures_in(folder: Path) -> list[Path]:
    """All files in `folder` but hidden ones, by name, numbers by their value. Raises BadInput when there is none."""
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise BadInput(f"{SOURCE}: the folder {folder.name!r} holds no pictures")
    return sorted(files, key=lambda path: natural(path.name))


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts `frame-2` before `frame-10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]

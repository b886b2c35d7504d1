"""
Source frames of a style transfer: from a video, or the images of a folder, as ordered files.

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

from videojob_runner.engine.api import TaskContext
from videojob_runner.engines.vqgan_clip.config import FIELD_PREFIX
from videojob_runner.errors import BadInput
from videojob_runner.media.decode import iter_frames, probe_video
from videojob_runner.media.frames import FrameWriter, RgbImage, clear_frames, list_frames
from videojob_runner.media.limits import MAX_FRAMES
from videojob_runner.torch_utils.images import Size, read_image_size

SOURCE_FIELD = f"{FIELD_PREFIX}.styleTransfer.source"


def first_frame_size(style: StyleTransfer, context: TaskContext) -> Size:
    """Width and height of the first source frame. Raises BadInput."""
    place = context.input_path(style.source, field=SOURCE_FIELD)
    if place.is_dir():
        return read_image_size(list_images(place)[0], field=SOURCE_FIELD)
    facts = probe_video(place)
    return facts.width, facts.height


def extract_source_frames(style: StyleTransfer, context: TaskContext, *, size: Size) -> list[Path]:
    """The source frames' files, those of a video at `size` already. Raises BadInput."""
    place = context.input_path(style.source, field=SOURCE_FIELD)
    if place.is_dir():
        return list_images(place)[: style.frames]
    fps = style.source_fps or context.fps
    clear_frames(context.scratch)
    write_frames(context.scratch, islice(iter_frames(place, fps=fps), style.frames), size=size)
    if not (files := list_frames(context.scratch)):
        raise BadInput(f"{SOURCE_FIELD}: {place.name!r} has no frame at {fps} frames per second; increase sourceFps")
    return files


def write_frames(folder: Path, pictures: Iterator[RgbImage], *, size: Size) -> None:
    """Writes pictures into `folder`, brought to `size` by Lanczos."""
    with FrameWriter(folder, total=MAX_FRAMES) as writer:
        for index, picture in enumerate(pictures):
            resized = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
            writer.write(index, np.asarray(resized))


def list_images(folder: Path) -> list[Path]:
    """All files in `folder` but hidden ones, by name, numbers by their value. Raises BadInput when there is none."""
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise BadInput(f"{SOURCE_FIELD}: the folder {folder.name!r} contains no images")
    return sorted(files, key=lambda path: natural_sort_key(path.name))


def natural_sort_key(name: str) -> list[tuple[int, str]]:
    """A key that sorts `frame-2` before `frame-10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]

"""
Pictures between files, 8-bit arrays and tensors.

A tensor picture is ``[1, 3, H, W]`` in 0…1; an array is H×W×3 uint8 RGB. Export truncates (255·v to a byte), as every
program of this family does. Inputs come from strangers: what Pillow cannot read, or what unpacks to absurd sizes, is a
BadInput.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from videojob_runner.errors import BadInput
from videojob_runner.media.frames import RgbImage


def to_pixels(picture: Tensor) -> RgbImage:
    """The array of a tensor picture."""
    scaled = (picture.detach()[0].clamp(0, 1) * 255).to(torch.uint8)
    return scaled.permute(1, 2, 0).contiguous().cpu().numpy()


def to_tensor(pixels: RgbImage, *, device: str = "cpu") -> Tensor:
    """The tensor picture of an array."""
    return torch.from_numpy(pixels.copy()).to(device).permute(2, 0, 1)[None].float() / 255


Size = tuple[int, int]
"""Width and height in pixels."""


def read_image(path: Path, *, size: Size, field: str) -> RgbImage:
    """The picture in `path`, stretched to `size` by Lanczos. Raises BadInput naming `field`."""
    return read_resized(path, lambda _: size, field=field)


def read_image_within(path: Path, *, area: int, field: str) -> RgbImage:
    """The picture in `path` in its own proportions, shrunk to at most `area` pixels. Raises BadInput naming `field`."""
    return read_resized(path, lambda size: limit_area(size, area), field=field)


def limit_area(size: Size, area: int) -> Size:
    """`size` when it has no more pixels than `area`, else the like of it that has about as many (§2.10)."""
    width, height = size
    pixels = min(width * height, area)
    sides = math.sqrt(pixels * width / height), math.sqrt(pixels * height / width)
    return max(round(sides[0]), 1), max(round(sides[1]), 1)


def read_image_size(path: Path, *, field: str) -> Size:
    """Width and height of the picture in `path`. Raises BadInput naming `field`."""
    with open_image(path, field=field) as image:
        return image.size


def read_resized(path: Path, choose: Callable[[Size], Size], *, field: str) -> RgbImage:
    """The picture in `path`, brought by Lanczos to the size that `choose` makes of its own. Raises BadInput."""
    with open_image(path, field=field) as image:
        return np.asarray(image.convert("RGB").resize(choose(image.size), Image.Resampling.LANCZOS))


@contextmanager
def open_image(path: Path, *, field: str) -> Iterator[Image.Image]:
    """The picture in `path`, unpacked when it is used; whatever is wrong with it becomes a BadInput naming `field`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadInput(f"{field}: {path.name!r} has too many pixels: {error}") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BadInput(f"{field}: {path.name!r} is not a readable image: {error}") from error

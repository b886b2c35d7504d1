"""
Pictures between files, 8-bit arrays and tensors.

A tensor picture is ``[1, 3, H, W]`` in 0…1; an array is H×W×3 uint8 RGB. Export truncates (255·v to a byte), as every
program of this family does. Inputs come from strangers: what Pillow cannot read, or what unpacks to absurd sizes, is a
BadInput.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from videojob_runner.contract.engine import Pixels
from videojob_runner.contract.errors import BadInput


def to_pixels(picture: Tensor) -> Pixels:
    """The array of a tensor picture."""
    scaled = (picture.detach()[0].clamp(0, 1) * 255).to(torch.uint8)
    return scaled.permute(1, 2, 0).contiguous().cpu().numpy()


def to_tensor(pixels: Pixels, *, device: str = "cpu") -> Tensor:
    """The tensor picture of an array."""
    return torch.from_numpy(pixels.copy()).to(device).permute(2, 0, 1)[None].float() / 255


def read_picture(path: Path, *, size: tuple[int, int], field: str) -> Pixels:
    """The picture in `path`, stretched to `size` (width, height) by Lanczos. Raises BadInput naming `field`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadInput(f"{field}: {path.name!r} has too many pixels: {error}") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BadInput(f"{field}: {path.name!r} is no picture that can be read: {error}") from error

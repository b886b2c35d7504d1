"""
Upscaling networks from packs: ESRGAN and its relatives, recognised by their tensors' names through spandrel.

A network enlarges by a whole factor of its own; any other factor is reached by resampling its result, as upstream does
(specification §5.6, `netscale` and `outscale`). Pictures go through it in tiles that overlap, so memory is bounded by
the tile and no seam shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from PIL import Image
from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError
from torch import Tensor, nn

from videojob_runner.errors import BadInput
from videojob_runner.media.frames import RgbImage
from videojob_runner.media.limits import scaled_size
from videojob_runner.models.packs.reader import Pack, to_float32
from videojob_runner.torch_utils.modules import freeze

TILE_OVERLAP: Final = 16
"""Pixels of its neighbours that a tile sees on each side; further away nothing visible comes from."""
MIN_TILE: Final = 32


@dataclass(frozen=True, slots=True)
class Upscaler:
    """A network that enlarges RGB pictures by the whole factor `scale`; frozen, float32 on a CPU, fp16 on CUDA."""

    network: ImageModelDescriptor[nn.Module]

    @classmethod
    def load(cls, pack: Pack, *, device: str = "cpu") -> Upscaler:
        """The network of an opened pack. Raises BadInput when its tensors are no upscaling network for RGB pictures."""
        try:
            with torch.random.fork_rng(devices=[]):  # building draws weights that are replaced at once
                found = ModelLoader(device="cpu").load_from_state_dict(to_float32(pack.tensors()))
        except (UnsupportedModelError, RuntimeError, LookupError, TypeError, ValueError) as error:
            raise BadInput(f"pack {pack.name!r} contains no network that spandrel supports: {error}") from error
        if not isinstance(found, ImageModelDescriptor) or found.purpose != "SR" or found.scale < 2:
            raise BadInput(f"pack {pack.name!r} holds a {found.architecture.name} network that does not enlarge images")
        if (found.input_channels, found.output_channels) != (3, 3):
            raise BadInput(f"pack {pack.name!r} is not for RGB images: it expects {found.input_channels} channels")
        freeze(found.model, device)
        return cls(found.half() if device.startswith("cuda") and found.supports_half else found)

    @property
    def scale(self) -> int:
        """The network's own factor."""
        return int(self.network.scale)

    def upscale(self, pixels: RgbImage, *, scale: float | None = None, tile: int = 256) -> RgbImage:
        """
        The picture (H×W×3 of uint8) `scale` times as large each way, rounded to whole pixels; None: the network's own.

        `tile`: side of the parts it is worked on in, in pixels before enlargement, ≥ 32. Raises ValueError for values
        out of range (1 < scale ≤ 16, no side above 16384).
        """
        factor = float(self.scale if scale is None else scale)
        width, height = scaled_size(pixels.shape[1], pixels.shape[0], factor)
        if tile < MIN_TILE:
            raise ValueError(f"tile must be at least {MIN_TILE} pixels, not {tile}")
        result = self._by_network(pixels, tile)
        if factor == self.scale:
            return result
        return np.asarray(Image.fromarray(result).resize((width, height), Image.Resampling.LANCZOS))

    def _by_network(self, pixels: RgbImage, tile: int) -> RgbImage:
        height, width, scale = *pixels.shape[:2], self.scale
        result = np.empty((height * scale, width * scale, 3), dtype=np.uint8)
        for rows, seen_rows in _parts(height, tile):
            for columns, seen_columns in _parts(width, tile):
                made = self._tile(pixels[seen_rows, seen_columns])
                top, left = (rows.start - seen_rows.start) * scale, (columns.start - seen_columns.start) * scale
                place = result[_scaled(rows, scale), _scaled(columns, scale)]
                place[:] = made[top : top + place.shape[0], left : left + place.shape[1]]
        return result

    def _tile(self, pixels: RgbImage) -> RgbImage:
        picture = torch.from_numpy(pixels.copy()).to(self.network.device)
        enlarged: Tensor = self.network(picture.permute(2, 0, 1)[None].to(self.network.dtype) / 255)
        return np.asarray((enlarged[0].float() * 255).round().byte().permute(1, 2, 0).cpu())


def _parts(length: int, tile: int) -> Iterator[tuple[slice, slice]]:
    """The parts of one axis: what each is responsible for, and what it sees."""
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        yield slice(start, stop), slice(max(0, start - TILE_OVERLAP), min(length, stop + TILE_OVERLAP))


def _scaled(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)

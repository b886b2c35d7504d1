"""Images that show what networks can do, and contexts in which showing them cannot change the training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from videojob_runner.media.frames import RgbImage
from videojob_runner.training.ema import ModelEma
from videojob_runner.training.rng import preserve_rng


def to_rgb_image(image: Tensor, *, low: float = 0.0, high: float = 1.0) -> RgbImage:
    """An image ``[3 or 1, H, W]`` of values `low`…`high` as bytes, rounded; values beyond are clamped."""
    scaled = ((image.detach().float() - low) / (high - low)).clamp(0, 1).mul(255).round().byte()
    return np.ascontiguousarray(scaled.expand(3, -1, -1).permute(1, 2, 0).cpu().numpy())


def image_grid(
    images: Tensor, *, columns: int, low: float = 0.0, high: float = 1.0, padding: int = 2, background: int = 0
) -> RgbImage:
    """
    Images ``[n, C, H, W]`` of values `low`…`high`, row by row.

    `padding` pixels of grey level `background` (0…255) lie between and around them.
    """
    cells = [to_rgb_image(image, low=low, high=high) for image in images]
    height, width, _ = cells[0].shape
    rows, columns = math.ceil(len(cells) / columns), min(columns, len(cells))
    shape = (rows * (height + padding) + padding, columns * (width + padding) + padding, 3)
    grid = np.full(shape, background, dtype=np.uint8)
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        top, left = padding + row * (height + padding), padding + column * (width + padding)
        grid[top : top + height, left : left + width] = cell
    return grid


def film_strip(clips: Tensor, *, low: float = 0.0, high: float = 1.0, padding: int = 2) -> RgbImage:
    """Clips ``[n, T, C, H, W]`` as one row each, their frames from left to right."""
    return image_grid(clips.flatten(0, 1), columns=clips.shape[1], low=low, high=high, padding=padding)


@contextmanager
def evaluation_mode(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Puts the networks into evaluation mode for the block, without gradients; each submodule gets its mode back."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    for module, _ in modes:
        module.training = False
    try:
        with torch.no_grad():  # tensors of inference mode that a module caches could not be trained with later
            yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def evaluation(
    networks: Mapping[str, nn.Module],
    *,
    device: str,
    ema: ModelEma | None = None,
    generators: Mapping[str, torch.Generator] | None = None,
) -> Iterator[None]:
    """Evaluation mode with averaged weights, if any; whatever the block draws, the training draws as without it."""
    with preserve_rng(device, generators or {}), evaluation_mode(networks.values()):
        if ema is None:
            yield
        else:
            with ema.apply():
                yield

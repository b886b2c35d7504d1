"""
Pairs of a large and a small picture: what the upscaler learns from and is measured on.

A large picture is a window of a scene that is drawn at a higher magnification, so its edges are as sharp as its own
pixels allow; the small one is Pillow's bicubic reduction of it, which averages over all pixels that it leaves out.
The scenes are the renderer's own, drawn by the renderer itself: magnifying a scene moves its objects and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from packs.shapes import renderer
from packs.shapes import vocabulary as words

SCALE: Final = 4
"""Pixels of the large picture for each pixel of the small one, each way."""
SMALL_SIDE: Final = renderer.SIDE // SCALE
MAGNIFICATIONS: Final = (2.0, 5.0)
"""Of a window's scene: small pictures that would be 48 to 120 pixels wide as a whole."""
TRAINING_SEED, HELD_OUT_SEED = 11, 12


@dataclass(frozen=True, slots=True)
class ImagePairs:
    """`large` uint8 ``[n, 96, 96, 3]`` and `small` uint8 ``[n, 24, 24, 3]`` of the same windows."""

    large: NDArray[np.uint8]
    small: NDArray[np.uint8]


def make_pairs(seed: int, count: int) -> ImagePairs:
    """`count` pairs drawn from one seed."""
    rng = np.random.default_rng(seed)
    large = np.stack([draw_window(rng) for _ in range(count)])
    return ImagePairs(large, np.stack([downscale(picture) for picture in large]))


def downscale(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture at a quarter of its size."""
    height, width = picture.shape[:2]
    return np.asarray(Image.fromarray(picture).resize((width // SCALE, height // SCALE), Image.Resampling.BICUBIC))


def draw_window(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A part of a magnified scene around the edge of one of its objects, uint8 [SIDE, SIDE, 3]."""
    row = renderer.sample_row(rng)
    shape, colour, background, size, position, count, style = (int(value) for value in row)
    places = [renderer.single_placement(size, position, rng)] if count == 1 else renderer.crowd_placements(count, rng)
    magnification = rng.uniform(*MAGNIFICATIONS)
    focus = places[rng.integers(len(places))]
    around = rng.uniform(0, 2 * np.pi)
    left = focus.x + focus.radius * np.cos(around) - 0.5 / magnification + rng.normal(0, 0.03)
    top = focus.y + focus.radius * np.sin(around) - 0.5 / magnification + rng.normal(0, 0.03)
    magnified = [
        renderer.ObjectPlacement(
            (place.x - left) * magnification,
            (place.y - top) * magnification,
            place.radius * magnification,
            place.turn + rng.normal(0, 0.3),
        )
        for place in places
    ]
    cover = np.max([renderer.coverage(shape, style, place=place, rng=rng) for place in magnified], axis=0)
    below = np.array(words.PALETTE[words.BACKGROUNDS[background]]) + rng.normal(0, 7, 3)
    return renderer.paint(below, colour, cover=cover, rng=rng)

"""
Pictures for the neural judge: polygons and ellipses drawn large with Pillow and scaled down.

Nothing is shared with the programs that train the packs, neither code nor distributions: another way to draw, other
palettes' scatter, light as a soft spot instead of a slope, noise of another kind, clutter, and guided-looking damage
(soft blotches and ragged outlines) that still lets a person name the shape. Classes: 0…5 the shapes, 6 none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIDE: Final = 64
SCALE: Final = 4
SHAPES: Final = ("circle", "square", "triangle", "star", "cross", "ring", "none")
NAMED: Final = {
    "red": (210, 45, 45),
    "green": (45, 155, 65),
    "blue": (45, 85, 210),
    "yellow": (240, 215, 60),
    "purple": (135, 55, 165),
    "orange": (240, 140, 35),
    "white": (240, 240, 240),
    "black": (28, 28, 28),
    "gray": (128, 128, 128),
}
COLOURS: Final = tuple(NAMED)[:8]
BACKGROUNDS: Final = tuple(NAMED)

Outline = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures uint8 ``[n, 64, 64, 3]``; classes ``[n, 3]`` of shape, colour, background, −1 where there is none."""

    images: NDArray[np.uint8]
    classes: NDArray[np.int64]


def radial_outline(radii: list[float], turn: float) -> Outline:
    """A closed outline from its radii at equal angles, the first one upwards."""
    angles = [turn - math.pi / 2 + 2 * math.pi * i / len(radii) for i in range(len(radii))]
    return [(r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]


def rotate(points: Outline, turn: float) -> Outline:
    cos, sin = math.cos(turn), math.sin(turn)
    return [(cos * x - sin * y, sin * x + cos * y) for x, y in points]


def outline(shape: str, turn: float, rng: np.random.Generator) -> Outline:
    """Corners of a shape of about unit radius."""
    match shape:
        case "square":
            return radial_outline([1.2] * 4, turn + math.pi / 4)
        case "triangle":
            return radial_outline([1.25] * 3, turn)
        case "star":
            return radial_outline([1.25, rng.uniform(0.45, 0.6)] * 5, turn)
        case "cross":
            arm = rng.uniform(0.28, 0.4)
            quarter = [(arm, -1.05), (arm, -arm), (1.05, -arm)]
            return [point for k in range(4) for point in rotate(quarter, turn + k * math.pi / 2)]
        case _:
            squash = rng.uniform(0.92, 1.0)
            return [(x, squash * y) for x, y in radial_outline([1.0] * 48, turn)]


def roughen(points: Outline, amount: float, rng: np.random.Generator) -> Outline:
    """The outline with points in between, each pushed a little."""
    dense = []
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        for t in np.linspace(0, 1, 5)[:-1]:
            dx, dy = rng.normal(0, amount, 2)
            dense.append((x0 + t * (x1 - x0) + dx, y0 + t * (y1 - y0) + dy))
    return dense


def draw_mask(shape: str, rng: np.random.Generator) -> Image.Image:
    """Mask of one object, or of several small ones."""
    mask = Image.new("L", (SIDE * SCALE, SIDE * SCALE), 0)
    pen = ImageDraw.Draw(mask)
    several = rng.random() < 0.12
    radius = rng.uniform(0.13, 0.17) if several else rng.uniform(0.12, 0.40)
    room = max(0.0, 0.5 - 1.05 * radius) if rng.random() < 0.6 else 0.06
    centres = [tuple(0.5 + rng.uniform(-room, room, 2))]
    if several:
        centres = [(0.28, 0.3), (0.7, 0.68), (0.3, 0.75)][: rng.integers(2, 4)]
    turn, rough = rng.normal(0, 0.2), rng.choice([0.0, 0.0, 0.02, 0.04])
    points = outline(shape, turn, rng)
    hole = rng.uniform(0.45, 0.68)
    for cx, cy in centres:
        for scale, ink in ((1.0, 255), (hole, 0)) if shape == "ring" else ((1.0, 255),):
            body = roughen(points, rough, rng) if rough else points
            pen.polygon(
                [((cx + scale * radius * x) * SIDE * SCALE, (cy + scale * radius * y) * SIDE * SCALE) for x, y in body],
                fill=ink,
            )
    return mask


def smooth_noise(rng: np.random.Generator, cells: int) -> NDArray[np.float64]:
    """A smooth random field ``[64, 64, 3]`` of unit deviation."""
    small = Image.fromarray((rng.uniform(0, 255, (cells, cells, 3))).astype(np.uint8))
    field = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), float)
    return np.asarray((field - field.mean()) / (field.std() + 1e-6))


def radial_light(rng: np.random.Generator) -> NDArray[np.float64]:
    """A soft light ``[64, 64, 1]`` around 1."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    cx, cy = rng.uniform(0, 1, 2)
    light = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 0.3)
    return np.asarray(1 + rng.uniform(-0.1, 0.1) * (light - light.mean()))[..., None]


def composite(mask: Image.Image, colour: str, background: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Both colours through the mask, then light, blotches and speckles."""
    soft = mask.filter(ImageFilter.GaussianBlur(float(rng.choice([0.5, 2.0, 5.0]))))
    cover = np.asarray(soft.resize((SIDE, SIDE), Image.Resampling.BOX), float)[..., None] / 255
    if rng.random() < 0.2:  # lines or holes inside, as in striped and dotted objects
        y, x = np.mgrid[0:SIDE, 0:SIDE]
        cover = (
            cover
            * np.where(np.sin((x * rng.uniform(-1, 1) + y) * rng.uniform(0.7, 1.3)) > -0.2, 1, rng.uniform(0.2, 0.6))[
                ..., None
            ]
        )
    below, above = (np.array(NAMED[name]) + rng.uniform(-18, 18, 3) for name in (background, colour))
    image = (below + cover * (above - below)) * radial_light(rng)
    image += smooth_noise(rng, int(rng.integers(4, 14))) * rng.choice([0, 0, 4, 12])
    return np.clip(image + rng.uniform(-1, 1, image.shape) * rng.uniform(0, 12), 0, 255).astype(np.uint8)


def clutter(rng: np.random.Generator) -> Image.Image:
    """A mask that shows no single shape: nothing, worms, or a heap of pieces."""
    mask = Image.new("L", (SIDE * SCALE, SIDE * SCALE), 0)
    pen = ImageDraw.Draw(mask)
    kind, side = rng.integers(3), SIDE * SCALE
    for _ in range(0 if kind == 0 else int(rng.integers(5, 14))):
        points = np.cumsum(rng.normal(0, 22, (6, 2)), 0) + rng.uniform(0.1, 0.9, 2) * side
        flat = [tuple(point) for point in points]
        if kind == 1:
            pen.line(flat, fill=255, width=int(rng.integers(8, 22)), joint="curve")
        else:
            pen.polygon(flat, fill=255)
    return mask


def draw_labelled(rng: np.random.Generator) -> tuple[NDArray[np.uint8], tuple[int, int, int]]:
    """One picture with its three classes."""
    colour = int(rng.integers(len(COLOURS)))
    background = int(rng.choice([i for i in range(len(BACKGROUNDS)) if i != colour]))
    shape = int(rng.choice(7, p=[0.15] * 6 + [0.10]))
    mask = clutter(rng) if SHAPES[shape] == "none" else draw_mask(SHAPES[shape], rng)
    image = composite(mask, COLOURS[colour], BACKGROUNDS[background], rng)
    return image, (shape, colour if shape < 6 else -1, background if shape < 6 else -1)


def make_dataset(seed: int, count: int) -> Labelled:
    """`count` pictures from one seed."""
    rng = np.random.default_rng(seed)
    pairs = [draw_labelled(rng) for _ in range(count)]
    return Labelled(np.stack([image for image, _ in pairs]), np.array([classes for _, classes in pairs]))

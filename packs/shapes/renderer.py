"""
Draws scenes from signed distances: the training pictures of the shapes packs.

A scene is a background, up to three equal objects in one of six shapes, one colour and one of five styles. Beside
them a few pictures say nothing at all (textures), almost a shape (two shapes fused, one cut out of another, a
swirl) or a good object on a background of two colours: they carry no attributes and serve as negatives, since those
are what careless guidance ends in. All lengths are fractions of the picture's side; `y` grows downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from packs.shapes import vocabulary as words

SIDE: Final = 96
"""Pixels per side of a training picture."""

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Rows = NDArray[np.int8]

EMPTY_SHARE, TEXTURE_SHARE, NEAR_MISS_SHARE, SPLIT_SHARE = 0.04, 0.06, 0.05, 0.10
RADII: Final = {0: (0.12, 0.18), 1: (0.22, 0.30), 2: (0.33, 0.41)}
CROWD_RADII: Final = {2: (0.14, 0.20), 3: (0.12, 0.17)}
GRID: Final = (np.arange(SIDE) + 0.5) / SIDE


@dataclass(frozen=True, slots=True)
class ObjectPlacement:
    """Where one object stands: centre, radius (fractions of the side) and rotation in radians."""

    x: float
    y: float
    radius: float
    turn: float

    def local(self) -> tuple[Floats, Floats]:
        """Pixel centres in the object's own frame, in units of its radius."""
        x, y = (GRID[None, :] - self.x) / self.radius, (GRID[:, None] - self.y) / self.radius
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return cos * x + sin * y, cos * y - sin * x


def box(x: Floats, y: Floats, *, half_width: float, half_height: float) -> Floats:
    """Distance to an axis-parallel box around the origin; negative inside."""
    signed: Floats = np.maximum(np.abs(x) - half_width, np.abs(y) - half_height)
    return signed


def triangle(x: Floats, y: Floats) -> Floats:
    """Equilateral, point up, circumradius 1.2."""
    slope = np.sqrt(0.75) * np.abs(x) - 0.5 * y
    signed: Floats = np.maximum(slope, y) - 0.6
    return signed


def star(x: Floats, y: Floats) -> Floats:
    """Five points on radius 1.2, five notches on radius 0.52."""
    radius, angle = np.hypot(x, y), np.arctan2(x, -y)
    sector = 2 * np.pi / 5
    folded = np.abs((angle + sector / 2) % sector - sector / 2)
    across, along = radius * np.sin(folded), radius * np.cos(folded)
    notch_x, notch_y = 0.52 * np.sin(sector / 2), 0.52 * np.cos(sector / 2)
    length = np.hypot(notch_x, 1.2 - notch_y)
    signed: Floats = (across * (1.2 - notch_y) + (along - 1.2) * notch_x) / length
    return signed


def distance(shape: int, x: Floats, y: Floats) -> Floats:
    """Signed distance (in radii) of points to the outline of `SHAPES[shape]`; negative inside."""
    match words.SHAPES[shape]:
        case "circle":
            return np.hypot(x, y) - 1.0
        case "square":
            return box(x, y, half_width=0.88, half_height=0.88)
        case "triangle":
            return triangle(x, y)
        case "star":
            return star(x, y)
        case "cross":
            wide = box(x, y, half_width=1.05, half_height=0.33)
            return np.minimum(wide, box(x, y, half_width=0.33, half_height=1.05))
        case _:
            return np.abs(np.hypot(x, y) - 0.78) - 0.24


def edge(signed: Floats, radius: float) -> Floats:
    """Coverage 0…1 of a region from its signed distance in radii, with a one-pixel ramp."""
    return np.clip(0.5 - signed * radius * SIDE, 0.0, 1.0)


def sketch(shape: int, place: ObjectPlacement, rng: np.random.Generator) -> Floats:
    """A wobbly outline and a second, fainter stroke beside it."""
    cover = np.zeros((SIDE, SIDE))
    for strength, shift in ((1.0, 0.0), (0.7, 0.05)):
        moved = ObjectPlacement(
            place.x + shift * place.radius, place.y - shift * place.radius, place.radius, place.turn
        )
        x, y = moved.local()
        wobble = 0.05 * np.sin(rng.integers(3, 7) * np.arctan2(y, x) + rng.uniform(0, 6.28))
        stroke = np.abs(distance(shape, x, y) + wobble) - rng.uniform(0.06, 0.10)
        cover = np.maximum(cover, strength * edge(stroke, place.radius))
    return cover


def coverage(shape: int, style: int, *, place: ObjectPlacement, rng: np.random.Generator) -> Floats:
    """How much of the object's colour every pixel takes, 0…1, shape [SIDE, SIDE]."""
    if words.STYLES[style] == "sketch":
        return sketch(shape, place, rng)
    x, y = place.local()
    signed = distance(shape, x, y)
    match words.STYLES[style]:
        case "striped":
            angle, period = rng.uniform(0, np.pi), rng.uniform(0.38, 0.5)
            wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / period)
            return edge(signed, place.radius) * np.where(wave > -0.1, 1.0, 0.25)
        case "dotted":
            period = rng.uniform(0.42, 0.55)
            dots = np.hypot((x + 0.1) % period - period / 2, (y + 0.1) % period - period / 2) - 0.29 * period
            return edge(signed, place.radius) * (1 - 0.85 * edge(dots, place.radius))
        case "soft":
            return np.asarray(1 / (1 + np.exp(signed / (rng.uniform(0.16, 0.24) / 2))))
        case _:
            return edge(signed, place.radius)


def lighting(rng: np.random.Generator) -> Floats:
    """A linear light across the picture, 1 ± 0.05, shape [SIDE, SIDE, 1]."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.05)
    ramp = np.cos(angle) * (GRID[None, :] - 0.5) + np.sin(angle) * (GRID[:, None] - 0.5)
    return np.asarray(1 + strength * 2 * ramp)[..., None]


def background_color(background: int, rng: np.random.Generator) -> Floats:
    """A background's colour with a little scatter, shape [3]."""
    return np.asarray(np.array(words.PALETTE[words.BACKGROUNDS[background]]) + rng.normal(0, 7, 3))


def paint(below: Floats, colour: int, *, cover: Floats, rng: np.random.Generator) -> Bytes:
    """The finished picture: background ([3] or [SIDE, SIDE, 3]) and object mixed by `cover`, lit, as bytes."""
    above = np.array(words.PALETTE[words.COLOURS[colour]]) + rng.normal(0, 11, 3)
    mixed = below + cover[..., None] * (above - below)
    return np.asarray(np.clip(mixed * lighting(rng), 0, 255)).astype(np.uint8)


def single_placement(size: int, position: int, rng: np.random.Generator) -> ObjectPlacement:
    """Place of a single object of the given size and position."""
    radius = rng.uniform(*RADII[size])
    y = {0: rng.normal(0.5, 0.04), 1: rng.uniform(0.2, 0.3), 2: rng.uniform(0.7, 0.8)}[position]
    x = rng.uniform(0.3, 0.7) if position else rng.normal(0.5, 0.04)
    margin = 1.1 * radius if size < 2 else 0.42
    x, y = (float(np.clip(v, min(margin, 0.5), max(1 - margin, 0.5))) for v in (x, y))
    return ObjectPlacement(x, y, radius, rng.normal(0, 0.12))


def crowd_placements(count: int, rng: np.random.Generator) -> list[ObjectPlacement]:
    """Places of two or three equal objects, centres at least 2.35 radii apart."""
    while True:
        radius = rng.uniform(*CROWD_RADII[count])
        centres = rng.uniform(1.15 * radius, 1 - 1.15 * radius, (count, 2))
        gaps = [np.hypot(*(centres[i] - centres[j])) for i in range(count) for j in range(i)]
        if min(gaps) >= 2.35 * radius:
            return [ObjectPlacement(x, y, radius, rng.normal(0, 0.12)) for x, y in centres]


def sample_row(rng: np.random.Generator) -> Rows:
    """The seven attributes of a scene with at least one object, drawn from the training distribution."""
    colour = rng.integers(len(words.COLOURS))
    background = (colour + rng.integers(1, len(words.BACKGROUNDS))) % len(words.BACKGROUNDS)
    count = rng.choice([1, 2, 3], p=[0.76, 0.14, 0.10])
    size, position = words.NO_CAPTION, words.NO_CAPTION
    if count == 1:
        position = rng.choice([0, 1, 2], p=[0.70, 0.15, 0.15])
        size = rng.choice([0, 1, 2], p=[0.20, 0.45, 0.35]) if position == 0 else rng.choice([0, 1], p=[0.35, 0.65])
    style = rng.choice(5, p=[0.56, 0.12, 0.12, 0.10, 0.10])
    return np.array([rng.integers(6), colour, background, size, position, count, style], np.int8)


def scene_cover(row: Rows, rng: np.random.Generator) -> Floats:
    """Coverage of all objects of a row with count ≥ 1."""
    shape, _, _, size, position, count, style = (int(v) for v in row)
    places = [single_placement(size, position, rng)] if count == 1 else crowd_placements(count, rng)
    return np.asarray(np.max([coverage(shape, style, place=place, rng=rng) for place in places], axis=0))


def draw(row: Rows, rng: np.random.Generator) -> Bytes:
    """The picture of one row with objects (count ≥ 1), uint8 [SIDE, SIDE, 3]."""
    below = background_color(int(row[words.BACKGROUND]), rng)
    return paint(below, int(row[words.COLOUR]), cover=scene_cover(row, rng), rng=rng)


def split(rng: np.random.Generator) -> Floats:
    """How much a second background colour shows, 0…1: a band at one side, at two, a corner, or a frame."""
    angle = rng.choice([0, 0.5, 1, 1.5]) * np.pi + rng.normal(0, 0.15)
    across = np.cos(angle) * (GRID[None, :] - 0.5) + np.sin(angle) * (GRID[:, None] - 0.5)
    reach, soft = rng.uniform(0.0, 0.33), rng.uniform(0.005, 0.12)
    match rng.choice(4, p=[0.55, 0.15, 0.15, 0.15]):
        case 0:
            depth = across - reach
        case 1:
            depth = np.abs(across) - max(reach, 0.15)
        case 2:
            turned = np.cos(angle + np.pi / 2) * (GRID[None, :] - 0.5) + np.sin(angle + np.pi / 2) * (
                GRID[:, None] - 0.5
            )
            depth = np.minimum(across, turned) - reach / 2
        case _:
            depth = np.maximum(np.abs(GRID[None, :] - 0.5), np.abs(GRID[:, None] - 0.5)) - max(reach, 0.25)
    return np.asarray(np.clip(0.5 + depth / soft, 0, 1))


def split_scene(row: Rows, rng: np.random.Generator) -> Bytes:
    """A row's objects on a background that is partly another colour, gray in two of five cases."""
    first, gray = int(row[words.BACKGROUND]), len(words.BACKGROUNDS) - 1
    second = gray if first != gray and rng.random() < 0.4 else (first + rng.integers(1, gray + 1)) % (gray + 1)
    below = background_color(first, rng) + split(rng)[..., None] * (
        background_color(int(second), rng) - background_color(first, rng)
    )
    return paint(below, int(row[words.COLOUR]), cover=scene_cover(row, rng), rng=rng)


def near_miss_cover(rng: np.random.Generator) -> Floats:
    """Coverage of a thing that is almost a shape: two fused, one cut out of another, doubled outlines, a swirl."""
    place = single_placement(2 if rng.random() < 0.5 else 1, 0, rng)
    x, y = place.local()
    first, second = (int(shape) for shape in rng.choice(6, 2, replace=False))
    match rng.integers(4):
        case 0:
            angle, gap = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 0.9)
            dx, dy = gap * np.cos(angle), gap * np.sin(angle)
            signed = np.minimum(
                distance(first, 1.3 * (x - dx), 1.3 * (y - dy)), distance(second, 1.3 * (x + dx), 1.3 * (y + dy))
            )
        case 1:
            first = int(rng.integers(5))  # a ring has a hole of its own
            inner = distance(int(rng.choice([s for s in range(5) if s != first])), x / 0.5, y / 0.5)
            signed = np.maximum(distance(first, x, y), -inner)
        case 2:
            inner = np.abs(distance(first, x, y)) - rng.uniform(0.08, 0.14)
            signed = np.minimum(inner, distance(second, x / 0.45, y / 0.45))
        case _:
            arms, twist = rng.integers(1, 4), rng.uniform(3, 7)
            radius = np.hypot(x, y)
            signed = np.maximum(-np.cos(arms * np.arctan2(y, x) + twist * radius) * 0.2, radius - 1.1)
    return edge(signed, place.radius)


def upscale_cells(cells: Floats, *, smooth: bool) -> Floats:
    """A small colour grid [n, n, 3] blown up to the picture's side, blocky or bilinear."""
    n = len(cells)
    if not smooth:
        pick = np.minimum((GRID * n).astype(int), n - 1)
        return np.asarray(cells[pick][:, pick])
    at = np.clip(GRID * n - 0.5, 0, n - 1)
    low = np.minimum(at.astype(int), max(n - 2, 0))
    high, weight = np.minimum(low + 1, n - 1), at - low
    rows = cells[low] * (1 - weight)[:, None, None] + cells[high] * weight[:, None, None]
    return np.asarray(rows[:, low] * (1 - weight)[None, :, None] + rows[:, high] * weight[None, :, None])


def texture(rng: np.random.Generator) -> Bytes:
    """A picture without any object: four-colour gradients or random blocks of 3–96 cells."""
    n = 2 if rng.random() < 0.35 else int(rng.choice([3, 4, 6, 8, 12, 16, 24, 48, 96]))
    cells = rng.uniform(0, 255, (n, n, 3))
    return np.clip(upscale_cells(cells, smooth=n == 2 or rng.random() < 0.5), 0, 255).astype(np.uint8)


def negative(rng: np.random.Generator) -> Bytes:
    """A picture that no caption is true of."""
    kind = rng.random() * (TEXTURE_SHARE + NEAR_MISS_SHARE + SPLIT_SHARE)
    if kind < TEXTURE_SHARE:
        return texture(rng)
    row = sample_row(rng)
    if kind < TEXTURE_SHARE + SPLIT_SHARE:
        return split_scene(row, rng)
    below = background_color(int(row[words.BACKGROUND]), rng)
    return paint(below, int(row[words.COLOUR]), cover=near_miss_cover(rng), rng=rng)


def sample(rng: np.random.Generator) -> tuple[Bytes, Rows]:
    """One picture of the training distribution with its row."""
    kind, nothing = rng.random(), np.full(words.ATTRIBUTES, words.NO_CAPTION, np.int8)
    if kind < TEXTURE_SHARE + NEAR_MISS_SHARE + SPLIT_SHARE:
        return negative(rng), nothing
    row = sample_row(rng)
    if kind < TEXTURE_SHARE + NEAR_MISS_SHARE + SPLIT_SHARE + EMPTY_SHARE:
        nothing[words.BACKGROUND], nothing[words.COUNT] = row[words.BACKGROUND], 0
        below = background_color(int(row[words.BACKGROUND]), rng)
        return paint(below, 0, cover=np.zeros((SIDE, SIDE)), rng=rng), nothing
    return draw(row, rng), row


def render_chunk(seed: int, size: int) -> tuple[Bytes, Rows]:
    """`size` pictures [size, SIDE, SIDE, 3] and rows [size, 7] from one seed."""
    rng = np.random.default_rng(seed)
    pairs = [sample(rng) for _ in range(size)]
    return np.stack([image for image, _ in pairs]), np.stack([row for _, row in pairs])

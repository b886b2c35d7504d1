"""
A judge without weights: what a picture shows, from colours in Lab and the outline of the largest thing in it.

It was written before any model existed; what makes it see through specks was added after the first guided pictures. On
such pictures trust its colour and background; its shapes are for clean outlines.
The border ring tells the background; the pixels far from it are the object. The shape follows from four features of
the object's outline: a hole, how much of its convex hull it fills, and the third, fourth and fifth harmonic of its
radius over the angle, which are the corners of a triangle, a square or cross, and a star.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

NAMED: Final = {
    "red": (214, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 80, 215),
    "yellow": (245, 220, 50),
    "purple": (140, 50, 170),
    "orange": (245, 140, 25),
    "white": (245, 245, 245),
    "black": (22, 22, 22),
    "gray": (128, 128, 128),
}
MIN_OBJECT_DISTANCE: Final = 22.0
"""Lab distance from the background at which a pixel counts as object; neighbouring names are at least 30 apart."""
MIN_OBJECT_SHARE: Final = 0.006
"""Smallest object, as a share of the picture."""
ANGLES: Final = 72


@dataclass(frozen=True, slots=True)
class ShapeVerdict:
    """What the picture shows; `shape` is "none" and `colour` the background's when nothing stands out."""

    shape: str
    colour: str
    background: str


def to_lab(rgb: NDArray[np.generic]) -> Floats:
    """CIE Lab (D65) of sRGB bytes ``[..., 3]``."""
    linear = np.asarray(rgb, float) / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ matrix.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def nearest_name(rgb: NDArray[np.generic]) -> str:
    """The named colour closest in Lab."""
    names = list(NAMED)
    gaps = np.linalg.norm(to_lab(np.array([NAMED[name] for name in names])) - to_lab(rgb), axis=-1)
    return names[int(gaps.argmin())]


def border_color(image: Image) -> Floats:
    """Median colour of the outer ring, a sixteenth of the side wide."""
    ring = np.ones(image.shape[:2], bool)
    width = max(1, min(image.shape[:2]) // 16)
    ring[width:-width, width:-width] = False
    return np.asarray(np.median(image[ring], axis=0))


def components(mask: Mask) -> list[Mask]:
    """Four-connected parts of a mask, the largest first."""
    left, parts = mask.copy(), []
    while left.any():
        part = np.zeros_like(mask)
        part[np.unravel_index(left.argmax(), left.shape)] = True
        while True:
            grown = part.copy()
            for axis in (0, 1):
                for step in (1, -1):
                    moved = np.roll(part, step, axis)
                    edge = [slice(None), slice(None)]
                    edge[axis] = slice(0, 1) if step == 1 else slice(-1, None)
                    moved[tuple(edge)] = False
                    grown |= moved
            grown &= left
            if (grown == part).all():
                break
            part = grown
        parts.append(part)
        left &= ~part
    return sorted(parts, key=lambda part: -int(part.sum()))


def fill_holes(thing: Mask) -> Mask:
    """The thing with its holes closed."""
    framed = np.pad(~thing, 1, constant_values=True)
    outside = next(part for part in components(framed) if part[0, 0])
    return ~outside[1:-1, 1:-1]


def hull_area(thing: Mask) -> float:
    """Area of the convex hull of the pixels' squares."""
    ys, xs = np.nonzero(thing)
    corners = sorted(
        {(x + dx, y + dy) for x, y in zip(xs.tolist(), ys.tolist(), strict=True) for dx in (0, 1) for dy in (0, 1)}
    )
    chain: list[tuple[int, int]] = []
    for run in (corners, corners[::-1]):
        base = len(chain)
        for x, y in run:
            while len(chain) >= base + 2 and (
                (chain[-1][0] - chain[-2][0]) * (y - chain[-2][1]) <= (chain[-1][1] - chain[-2][1]) * (x - chain[-2][0])
            ):
                chain.pop()
            chain.append((x, y))
        chain.pop()
    xs2, ys2 = np.array(chain).T
    return 0.5 * abs(float(xs2 @ np.roll(ys2, -1) - ys2 @ np.roll(xs2, -1)))


def harmonics(thing: Mask) -> Floats:
    """Relative strength of the harmonics 0…5 of the outline's radius over the angle, seen from the centroid."""
    ys, xs = np.nonzero(thing)
    dx, dy = xs - xs.mean(), ys - ys.mean()
    bins = ((np.arctan2(dy, dx) + np.pi) / (2 * np.pi) * ANGLES).astype(int) % ANGLES
    radius = np.zeros(ANGLES)
    np.maximum.at(radius, bins, np.hypot(dx, dy))
    known = np.flatnonzero(radius > 0)
    radius = np.interp(np.arange(ANGLES), known, radius[known], period=ANGLES)
    return np.asarray(np.abs(np.fft.rfft(radius))[:6] / (radius.sum() / 2))


def shape_of(thing: Mask) -> str:
    """Name of the shape of one connected thing."""
    solid = fill_holes(thing)
    if thing.sum() < 0.88 * solid.sum():
        return "ring"
    _, _, _, third, fourth, fifth = harmonics(solid)
    if solid.sum() < 0.82 * hull_area(solid):
        return "star" if fifth > fourth else "cross"
    if max(third, fourth) < 0.055:
        return "circle"
    return "triangle" if third > fourth else "square"


def median_filter(image: Image) -> Image:
    """Every pixel the median of its 3×3 neighbourhood, channel by channel."""
    framed = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = image.shape[:2]
    around = [framed[dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)]
    return np.asarray(np.median(around, axis=0)).astype(np.uint8)


def largest_component(image: Image, below: Floats) -> Mask | None:
    """
    The largest connected thing in front of the background colour; None when nothing stands out.

    What stands out gives the object's colour; the object is then what is nearer to that than to the background, so
    that neither a tinted rim nor an uneven background counts.
    """
    seen, behind = to_lab(image), to_lab(below)
    apart = np.linalg.norm(seen - behind, axis=-1)
    parts = components(apart > MIN_OBJECT_DISTANCE)
    if not parts or parts[0].sum() < MIN_OBJECT_SHARE * apart.size:
        return None
    front = np.median(seen[parts[0]], axis=0)
    parts = components(np.linalg.norm(seen - front, axis=-1) < apart)
    return parts[0] if parts and parts[0].sum() >= MIN_OBJECT_SHARE * apart.size else None


def classify(image: Image) -> ShapeVerdict:
    """What ``[H, W, 3]`` shows; sides from about 32 pixels up."""
    clean = median_filter(image)
    below = border_color(clean)
    background = nearest_name(below)
    thing = largest_component(clean, below)
    if thing is None:
        return ShapeVerdict("none", background, background)
    return ShapeVerdict(shape_of(thing), nearest_name(np.median(image[thing], axis=0)), background)

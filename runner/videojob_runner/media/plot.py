"""
A plot of numbers over steps, drawn with Pillow: enough to see whether a run still gets anywhere.

Losses jump from step to step, since each sees other cutouts; every value is drawn thin and pale, and their running mean
over it in full colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Floats = npt.NDArray[np.float64]
Points = Sequence[tuple[float, float]]
"""Step and value, in the order of the steps."""
Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = ((31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189), (255, 127, 14))
INK, GRID, PAPER = (60, 60, 60), (225, 225, 225), (255, 255, 255)
LEFT, RIGHT, TOP, BOTTOM = 70, 16, 34, 34
"""Margins in pixels."""
SMOOTHED_PART = 0.04
"""Of all points, how many the running mean takes."""


def plot(target: Path, series: Mapping[str, Points], *, title: str, size: tuple[int, int] = (960, 540)) -> None:
    """
    Draws every series by its name into a picture of `size` (width, height); values that are not finite are left out.

    The ending of `target` says the format. Raises ValueError when there is nothing to draw.
    """
    arrays = {name: finite(points) for name, points in series.items()}
    arrays = {name: array for name, array in arrays.items() if len(array)}
    if not arrays:
        raise ValueError("a plot needs at least one value")
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    frame = Frame.around(np.concatenate(list(arrays.values())), size=size)
    draw_axes(draw, frame, title=title)
    for place, (name, array) in enumerate(arrays.items()):
        colour = COLOURS[place % len(COLOURS)]
        draw.line(frame.pixels(array), fill=pale(colour), width=1)
        draw.line(frame.pixels(running_mean(array)), fill=colour, width=2)
        draw.text((frame.left + 10 + 150 * place, 10), name, fill=colour, font=ImageFont.load_default(14))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.stem}.part{target.suffix}")
    picture.save(part)
    part.replace(target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where values lie in the picture: the ranges of both axes and the pixels at their ends."""

    steps: tuple[float, float]
    values: tuple[float, float]
    left: int
    right: int
    top: int
    bottom: int

    @classmethod
    def around(cls, points: Floats, *, size: tuple[int, int]) -> Frame:
        """The frame that just holds ``[n, 2]`` points, with a little room above and below."""
        (first, low), (last, high) = points.min(0), points.max(0)
        room = 0.05 * (high - low) or max(abs(high), 1.0) * 0.05
        return cls(
            steps=(first, max(last, first + 1)),
            values=(low - room, high + room),
            left=LEFT,
            right=size[0] - RIGHT,
            top=TOP,
            bottom=size[1] - BOTTOM,
        )

    def pixels(self, points: Floats) -> list[tuple[float, float]]:
        """The places of ``[n, 2]`` points; one point becomes a short stroke."""
        (first, last), (low, high) = self.steps, self.values
        x = self.left + (points[:, 0] - first) / (last - first) * (self.right - self.left)
        y = self.bottom - (points[:, 1] - low) / (high - low) * (self.bottom - self.top)
        places = list(zip(x.tolist(), y.tolist(), strict=True))
        return places if len(places) > 1 else [places[0], (places[0][0] + 3, places[0][1])]


def draw_axes(draw: ImageDraw.ImageDraw, frame: Frame, *, title: str) -> None:
    """Grid, numbers and title."""
    font = ImageFont.load_default(12)
    for value in ticks(*frame.values):
        _, y = frame.pixels(np.array([[frame.steps[0], value]]))[0]
        draw.line([(frame.left, y), (frame.right, y)], fill=GRID)
        draw.text((frame.left - 6, y), f"{value:g}", fill=INK, font=font, anchor="rm")
    for step in ticks(*frame.steps):
        x, _ = frame.pixels(np.array([[step, frame.values[0]]]))[0]
        draw.line([(x, frame.top), (x, frame.bottom)], fill=GRID)
        draw.text((x, frame.bottom + 6), f"{step:g}", fill=INK, font=font, anchor="ma")
    draw.rectangle((frame.left, frame.top, frame.right, frame.bottom), outline=INK)
    draw.text((frame.right, 10), title, fill=INK, font=ImageFont.load_default(14), anchor="ra")


def ticks(low: float, high: float, *, about: int = 6) -> list[float]:
    """Round numbers within low…high, evenly spaced by 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    spacing = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(low / spacing - 1e-9), math.floor(high / spacing + 1e-9)
    digits = max(0, -math.floor(math.log10(spacing)))
    return [round(count * spacing, digits) for count in range(first, last + 1)]


def running_mean(points: Floats) -> Floats:
    """Each value as the mean of its neighbourhood, of fewer at both ends."""
    radius = round(len(points) * SMOOTHED_PART / 2)
    sums = np.concatenate([[0.0], np.cumsum(points[:, 1])])
    places = np.arange(len(points))
    reach = np.minimum(np.minimum(places, len(points) - 1 - places), radius)
    means = (sums[places + reach + 1] - sums[places - reach]) / (2 * reach + 1)
    return np.stack([points[:, 0], means], axis=1)


def finite(points: Points) -> Floats:
    """The points ``[n, 2]`` with a finite value."""
    array = np.asarray(points, np.float64).reshape(-1, 2)
    return array[np.isfinite(array[:, 1])]


def pale(colour: Colour) -> Colour:
    """The colour three quarters of the way to white."""
    red, green, blue = (channel + (255 - channel) * 3 // 4 for channel in colour)
    return red, green, blue

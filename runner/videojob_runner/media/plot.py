"""
Line plot of values over steps, drawn with Pillow, to monitor the progress of a run.

Losses jump from step to step, since each sees other cutouts; every value is drawn thin and pale, and their running mean
over it in full colour. Where a part of the run ends the curves break off, so that no mean blurs the change. There
are as many colours as an eye tells apart; further curves are gray.
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
Color = tuple[int, int, int]

COLORS: tuple[Color, ...] = (
    *((31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189), (255, 127, 14)),
    *((140, 86, 75), (227, 119, 194), (23, 190, 207), (188, 189, 34)),
)
OVERFLOW_COLOR: Color = (150, 150, 150)
"""Of curves beyond the colours."""
TEXT_COLOR, GRID_COLOR, MARKER_COLOR, BACKGROUND_COLOR = (60, 60, 60), (225, 225, 225), (120, 120, 120), (255, 255, 255)
LEFT, RIGHT, TOP, BOTTOM = 70, 16, 34, 34
"""Margins in pixels; the legend comes below."""
ROW_PIXELS, COLUMNS, SWATCH_PIXELS = 18, 2, 18
"""Of the legend: pixels of a row, and of the stroke before a name."""
LINE_WIDTH, FIRST_LINE_WIDTH = 2, 4
"""Pixels of a mean's stroke."""
SMOOTHING_FRACTION = 0.04
"""Of all points, how many the running mean takes."""


def plot_metrics(
    target: Path,
    series: Mapping[str, Points],
    *,
    title: str,
    marks: Mapping[float, str] | None = None,
    size: tuple[int, int] = (960, 540),
) -> None:
    """
    Draws every series by its name into a picture of `size` (width, height) with a legend below it.

    `marks` are the steps at which another part of the run begins, and its name. Values that are not finite are left
    out. The ending of `target` says the format. Raises ValueError when there is nothing to draw.
    """
    arrays = {name: array for name, points in series.items() if len(array := drop_non_finite(points))}
    if not arrays:
        raise ValueError("a plot needs at least one value")
    names = legend_labels(list(arrays))
    picture = Image.new("RGB", (size[0], size[1] + ROW_PIXELS * math.ceil(len(names) / COLUMNS)), BACKGROUND_COLOR)
    draw = ImageDraw.Draw(picture)
    frame = Axes.fit(np.concatenate(list(arrays.values())), size=size)
    draw_axes(draw, frame, title=title)
    draw_marks(draw, frame, marks or {})
    draw_curves(draw, frame, list(arrays.values()), breaks=sorted(marks or {}))
    draw_legend(draw, names, top=size[1] - 8, column=(size[0] - LEFT - RIGHT) // COLUMNS)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.stem}.part{target.suffix}")
    picture.save(part)
    part.replace(target)


def color_for(place: int) -> Color:
    """The colour of the curve in this place."""
    return COLORS[place] if place < len(COLORS) else OVERFLOW_COLOR


def legend_labels(names: Sequence[str]) -> list[str]:
    """What stands below: the names that have a colour, and how many have none."""
    more = len(names) - len(COLORS)
    return [*names[: len(COLORS)], *([f"{more} more in gray"] if more > 0 else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Where values lie in the picture: the ranges of both axes and the pixels at their ends."""

    steps: tuple[float, float]
    values: tuple[float, float]
    left: int
    right: int
    top: int
    bottom: int

    @classmethod
    def fit(cls, points: Floats, *, size: tuple[int, int]) -> Axes:
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


def draw_axes(draw: ImageDraw.ImageDraw, frame: Axes, *, title: str) -> None:
    """Grid, numbers and title."""
    font = ImageFont.load_default(12)
    for value in ticks(*frame.values):
        _, y = frame.pixels(np.array([[frame.steps[0], value]]))[0]
        draw.line([(frame.left, y), (frame.right, y)], fill=GRID_COLOR)
        draw.text((frame.left - 6, y), f"{value:g}", fill=TEXT_COLOR, font=font, anchor="rm")
    for step in ticks(*frame.steps):
        x, _ = frame.pixels(np.array([[step, frame.values[0]]]))[0]
        draw.line([(x, frame.top), (x, frame.bottom)], fill=GRID_COLOR)
        draw.text((x, frame.bottom + 6), f"{step:g}", fill=TEXT_COLOR, font=font, anchor="ma")
    draw.rectangle((frame.left, frame.top, frame.right, frame.bottom), outline=TEXT_COLOR)
    draw.text((frame.right, 10), title, fill=TEXT_COLOR, font=ImageFont.load_default(14), anchor="ra")


def draw_marks(draw: ImageDraw.ImageDraw, frame: Axes, marks: Mapping[float, str]) -> None:
    """An upright line at each mark, with its name where there is room."""
    room = frame.left - 1.0
    for step, name in sorted(marks.items()):
        x, _ = frame.pixels(np.array([[step, frame.values[0]]]))[0]
        draw.line([(x, frame.top), (x, frame.bottom)], fill=MARKER_COLOR)
        if x > room:
            draw.text((x + 4, frame.top + 3), name, fill=MARKER_COLOR, font=ImageFont.load_default(12))
            room = x + 8 + draw.textlength(name, font=ImageFont.load_default(12))


def draw_curves(draw: ImageDraw.ImageDraw, frame: Axes, curves: Sequence[Floats], *, breaks: Sequence[float]) -> None:
    """
    All values pale, then all means over them. The first curve lies broad under the others, so that a sum can be seen
    beside the only thing it is made of.
    """
    pieces = [(place, piece) for place, curve in enumerate(curves) for piece in split_at(curve, breaks)]
    for place, piece in pieces:
        draw.line(frame.pixels(piece), fill=lighten(color_for(place)), width=1)
    for place, piece in pieces:
        width = FIRST_LINE_WIDTH if place == 0 and len(curves) > 1 else LINE_WIDTH
        draw.line(frame.pixels(running_mean(piece)), fill=color_for(place), width=width)


def draw_legend(draw: ImageDraw.ImageDraw, names: Sequence[str], *, top: int, column: int) -> None:
    """The names with their colours, row by row, each as long as its column lets it be."""
    font = ImageFont.load_default(12)
    for place, name in enumerate(names):
        x, y = LEFT + place % COLUMNS * column, top + ROW_PIXELS * (place // COLUMNS) + ROW_PIXELS // 2
        draw.line([(x, y), (x + SWATCH_PIXELS, y)], fill=color_for(place), width=3)
        room, text = column - SWATCH_PIXELS - 16, " ".join(name.split())
        while draw.textlength(text, font=font) > room:
            text = f"{text[:-2]}…"
        draw.text((x + SWATCH_PIXELS + 6, y), text, fill=TEXT_COLOR, font=font, anchor="lm")


def split_at(points: Floats, breaks: Sequence[float]) -> list[Floats]:
    """The points ``[n, 2]`` before, between and after the steps in `breaks`, as far as there are any."""
    places = np.searchsorted(points[:, 0], np.asarray(breaks, np.float64))
    return [piece for piece in np.split(points, places) if len(piece)]


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
    radius = round(len(points) * SMOOTHING_FRACTION / 2)
    sums = np.concatenate([[0.0], np.cumsum(points[:, 1])])
    places = np.arange(len(points))
    reach = np.minimum(np.minimum(places, len(points) - 1 - places), radius)
    means = (sums[places + reach + 1] - sums[places - reach]) / (2 * reach + 1)
    return np.stack([points[:, 0], means], axis=1)


def drop_non_finite(points: Points) -> Floats:
    """The points ``[n, 2]`` with a finite value."""
    array = np.asarray(points, np.float64).reshape(-1, 2)
    return array[np.isfinite(array[:, 1])]


def lighten(colour: Color) -> Color:
    """The colour three quarters of the way to white."""
    red, green, blue = (channel + (255 - channel) * 3 // 4 for channel in colour)
    return red, green, blue

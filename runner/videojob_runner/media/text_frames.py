"""Renders text as images: the frames of TEST mode, which exercises the whole path to the bucket."""

from __future__ import annotations

import colorsys
import textwrap
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from videojob_runner.media.frames import RgbImage

MAX_LINE_CHARS = 30
"""Where the text wraps, in characters."""


def simulated_frame(uid: str, *, index: int, total: int, size: tuple[int, int]) -> RgbImage:
    """
    Frame `index` (0-based) of `total` of TEST mode, as H×W×3; `size` is width × height.

    A slowly turning colour field, a bar that grows to the full width with the last frame, and the text in the middle.
    """
    picture = Image.fromarray(_field(index / total, size=size))
    draw = ImageDraw.Draw(picture)
    _draw_bar(draw, (index + 1) / total, size=size)
    _draw_text(draw, f"Unique ID: {uid} Frame: {index + 1} of {total}", size=size)
    return np.asarray(picture)


def title_card(text: str, *, size: tuple[int, int]) -> RgbImage:
    """A black H×W×3 with the text in white in its middle; `size` is width × height. Much text gets a smaller font."""
    width, height = size
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    lines = wrap_text(text)
    for letters in range(max(6, width // 18), 4, -1):
        left, top, right, bottom = draw.multiline_textbbox((0, 0), lines, font=_font(letters))
        if right - left <= 0.94 * width and bottom - top <= 0.94 * height:
            break
    draw.multiline_text(
        (width / 2, height / 2), lines, font=_font(letters), anchor="mm", align="center", fill=(255, 255, 255)
    )
    return np.asarray(picture)


def wrap_text(text: str) -> str:
    """The text in lines of at most 30 characters; longer words are cut."""
    return "\n".join(textwrap.wrap(text, MAX_LINE_CHARS))


def _field(turn: float, *, size: tuple[int, int]) -> RgbImage:
    """A dark diagonal blend of two hues; `turn` 0…1 goes once round the colour circle."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    blend = ((x + y) / 2)[..., None]
    start, end = (np.array(colorsys.hsv_to_rgb((turn + shift) % 1, 0.75, 0.45)) for shift in (0.0, 0.2))
    return ((start * (1 - blend) + end * blend) * 255).astype(np.uint8)


def _draw_bar(draw: ImageDraw.ImageDraw, share: float, *, size: tuple[int, int]) -> None:
    width, height = size
    top = height - max(2, height // 24)
    draw.rectangle((0, top, width, height), fill=(24, 24, 24))
    if filled := round(width * share):  # of thousands of frames the first fill less than a pixel
        draw.rectangle((0, top, filled - 1, height), fill=(245, 200, 60))


def _draw_text(draw: ImageDraw.ImageDraw, text: str, *, size: tuple[int, int]) -> None:
    width, height = size
    middle = (width / 2, height / 2)
    font = _font(max(6, width // 18))
    draw.multiline_text(
        middle, wrap_text(text), font=font, anchor="mm", align="center", fill=(255, 255, 255), stroke_width=1,
        stroke_fill=(16, 16, 16),
    )  # fmt: skip


@lru_cache(maxsize=4)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height)

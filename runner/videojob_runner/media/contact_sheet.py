"""Contact sheet: a grid of evenly spaced frames of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

GAP_PIXELS = 4
"""Pixels between two cells and around the sheet."""


def write_contact_sheet(
    frames: Sequence[Path], target: Path, *, cells: int = 20, columns: int = 5, side: int = 192
) -> None:
    """
    Writes a grid of at most `cells` of the frames, first and last included, each within a square of `side` pixels.

    The ending of `target` says the format (.png, .jpg). Raises ValueError when there is no frame.
    """
    chosen = evenly_spaced(len(frames), cells)
    if not chosen:
        raise ValueError("a contact sheet needs at least one frame")
    columns = min(columns, len(chosen))
    step = side + GAP_PIXELS
    sheet = Image.new(
        "RGB", (columns * step + GAP_PIXELS, math.ceil(len(chosen) / columns) * step + GAP_PIXELS), (20, 20, 20)
    )
    for place, index in enumerate(chosen):
        row, column = divmod(place, columns)
        sheet.paste(_cell(frames[index], index, side=side), (GAP_PIXELS + column * step, GAP_PIXELS + row * step))
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target)


def evenly_spaced(total: int, wanted: int) -> list[int]:
    """At most `wanted` of the indices 0…total−1, evenly spread, with both ends."""
    if total <= wanted:
        return list(range(total))
    if wanted == 1:
        return [0]
    return [round(place * (total - 1) / (wanted - 1)) for place in range(wanted)]


def _cell(path: Path, index: int, *, side: int) -> Image.Image:
    cell = Image.new("RGB", (side, side), (20, 20, 20))
    with Image.open(path) as opened:
        frame = opened.convert("RGB")
    scale = side / max(frame.size)
    small = frame.resize((max(1, round(frame.width * scale)), max(1, round(frame.height * scale))))
    cell.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    ImageDraw.Draw(cell).text(
        (4, 2), str(index), font=ImageFont.load_default(12), fill=(255, 255, 255), stroke_width=1, stroke_fill=(0, 0, 0)
    )
    return cell

"""
The world of the shapes packs: seven attributes per picture, and the value that no caption may match.

A picture is a row of seven small integers, one per attribute, each an index into the tuple of that attribute.
`NO_CAPTION` in a row means "no caption that mentions this attribute is true of the picture"; `UNMENTIONED` in a
caption's row means "the caption does not mention it".
"""

from __future__ import annotations

from typing import Final

SHAPE, COLOUR, BACKGROUND, SIZE, POSITION, COUNT, STYLE = range(7)
ATTRIBUTES: Final = 7

UNMENTIONED: Final = -1
NO_CAPTION: Final = -2

SHAPES: Final = ("circle", "square", "triangle", "star", "cross", "ring")
PALETTE: Final = {
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
"""sRGB bytes of every named colour; objects use the first eight, backgrounds all nine."""
BACKGROUNDS: Final = tuple(PALETTE)
COLOURS: Final = BACKGROUNDS[:8]
SIZES: Final = ("small", "medium", "large")
POSITIONS: Final = ("centre", "top", "bottom")
COUNTS: Final = ("none", "one", "two", "three")
STYLES: Final = ("plain", "striped", "dotted", "sketch", "soft")

CLASSES: Final = tuple(len(values) for values in (SHAPES, COLOURS, BACKGROUNDS, SIZES, POSITIONS, COUNTS, STYLES))
"""Number of values of each attribute, in the order of a row."""

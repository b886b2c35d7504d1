"""
Sources of style transfers: short clips of one object that crosses the picture, drawn by the packs' own renderer.

What a clip is to become has the same shape but shares neither its colour nor its background, so that the source itself
never meets the prompt, and a result that does has changed every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from packs.shapes import renderer, vocabulary
from tests.fidelity.batch_guidance import Pictures
from tests.fidelity.prompts import PromptCase

FRAMES: Final = 6
PLAIN: Final = vocabulary.STYLES.index("plain")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceClip:
    """A source, and what it is to become."""

    seed: int
    colour: str
    background: str
    path: tuple[renderer.ObjectPlacement, ...]
    """Where the object is in each frame."""
    ask: PromptCase

    def frames(self) -> Pictures:
        """The source ``[n, 96, 96, 3]``; colours and light stay the same throughout."""
        return np.stack([self.frame(place) for place in self.path])

    def frame(self, place: renderer.ObjectPlacement) -> Pictures:
        """One picture of it."""
        rng = np.random.default_rng(self.seed)
        below = renderer.background_color(vocabulary.BACKGROUNDS.index(self.background), rng)
        cover = renderer.coverage(vocabulary.SHAPES.index(self.ask.shape), PLAIN, place=place, rng=rng)
        return renderer.paint(below, vocabulary.COLOURS.index(self.colour), cover=cover, rng=rng)

    def sized(self) -> Pictures:
        """The source at the size of the result."""
        small = [Image.fromarray(frame).resize((64, 64), Image.Resampling.LANCZOS) for frame in self.frames()]
        return np.stack([np.asarray(picture) for picture in small])

    def write(self, inputs: Path) -> str:
        """Puts the source into a folder below `inputs` and returns the folder's name."""
        folder = inputs / f"clip-{self.seed}"
        folder.mkdir(parents=True, exist_ok=True)
        for index, picture in enumerate(self.frames()):
            Image.fromarray(picture).save(folder / f"{index}.png")
        return folder.name


def clip(seed: int) -> SourceClip:
    """The clip of a seed; shapes take turns."""
    rng = np.random.default_rng(seed)

    def other(names: tuple[str, ...], *taken: str) -> str:
        return str(rng.choice([name for name in names if name not in taken]))

    before = other(vocabulary.COLOURS)
    behind = other(vocabulary.BACKGROUNDS, before)
    colour = other(vocabulary.COLOURS, before)
    ask = PromptCase(vocabulary.SHAPES[seed % 6], colour, other(vocabulary.BACKGROUNDS, colour, behind))
    radius, y, turn = rng.uniform(0.2, 0.28), rng.uniform(0.42, 0.58), rng.normal(0, 0.12)
    across = np.linspace(0.36, 0.64, FRAMES)[:: int(rng.choice([1, -1]))]
    path = tuple(renderer.ObjectPlacement(float(x), float(y), float(radius), float(turn)) for x in across)
    return SourceClip(seed=seed, colour=before, background=behind, path=path, ask=ask)

"""What prompts ask for, whether pictures show it, and the shares with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from tests.fidelity import independent_renderer as drawn


class ClassificationLike(Protocol):
    """The verdict of a judge."""

    @property
    def shape(self) -> str: ...
    @property
    def colour(self) -> str: ...
    @property
    def background(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PromptCase:
    """One prompt in parts; `background` is None where the prompt leaves it open."""

    shape: str
    colour: str
    background: str | None

    def prompt(self) -> str:
        """The words."""
        text = f"{article(self.colour)} {self.shape}"
        return f"{text} on {article(self.background)} background" if self.background else text

    def matches(self, seen: ClassificationLike) -> bool:
        """Whether the picture shows everything that was asked for."""
        return (seen.shape, seen.colour) == (self.shape, self.colour) and self.background in (None, seen.background)


def article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def draw_prompts(count: int, seed: int) -> list[PromptCase]:
    """Fixed prompts: shapes in turn, colours uniform, a background in half of them, never the object's colour."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        colour = str(rng.choice(drawn.COLOURS))
        background = str(rng.choice([name for name in drawn.BACKGROUNDS if name != colour]))
        made.append(PromptCase(drawn.SHAPES[i % 6], colour, background if rng.random() < 0.5 else None))
    return made


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share after `hits` of `count`."""
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - half, middle + half


@dataclass(frozen=True, slots=True)
class Proportion:
    """Hits among cases."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        """0…1."""
        return self.hits / self.count

    def document(self) -> dict[str, object]:
        """For the model card."""
        low, high = wilson(self.hits, self.count)
        return {"share": round(self.value, 3), "interval95": [round(low, 3), round(high, 3)], "n": self.count}

    def __add__(self, other: Proportion) -> Proportion:
        return Proportion(self.hits + other.hits, self.count + other.count)


def count_matches(
    asked: Sequence[PromptCase],
    seen: Sequence[ClassificationLike],
    met: Callable[[PromptCase, ClassificationLike], bool],
) -> Proportion:
    """How many verdicts meet their asks."""
    return Proportion(sum(met(a, s) for a, s in zip(asked, seen, strict=True)), len(asked))


THRESHOLDS: Final = {"background": 0.88, "colour": 0.80, "shape": 0.54, "everything": 0.50}
"""The least share of each (specification model-pack §10)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How well pictures follow their prompts."""

    shape: Proportion
    colour: Proportion
    background: Proportion
    everything: Proportion

    @classmethod
    def of(cls, asked: Sequence[PromptCase], seen: Sequence[ClassificationLike]) -> Scores:
        """Scores of verdicts in the order of the asks; backgrounds count only where asked for."""
        pairs = [(a, s) for a, s in zip(asked, seen, strict=True) if a.background]
        return cls(
            shape=count_matches(asked, seen, lambda a, s: a.shape == s.shape),
            colour=count_matches(asked, seen, lambda a, s: a.colour == s.colour),
            background=Proportion(sum(a.background == s.background for a, s in pairs), len(pairs)),
            everything=count_matches(asked, seen, PromptCase.matches),
        )

    def __add__(self, other: Scores) -> Scores:
        return Scores(
            self.shape + other.shape,
            self.colour + other.colour,
            self.background + other.background,
            self.everything + other.everything,
        )

    def below_threshold(self) -> dict[str, float]:
        """The shares that are below their gates."""
        found = {name: getattr(self, name).value for name in THRESHOLDS}
        return {name: share for name, share in found.items() if not share >= THRESHOLDS[name]}

    def document(self) -> dict[str, object]:
        """For the model card."""
        parts = {"shape": self.shape, "colour": self.colour, "background": self.background, "all": self.everything}
        return {name: share.document() for name, share in parts.items()}


def by_shape(asked: Sequence[PromptCase], seen: Sequence[ClassificationLike]) -> dict[str, object]:
    """For the model card: how often each shape that was asked for is seen."""
    pairs = list(zip(asked, seen, strict=True))
    shares: dict[str, object] = {}
    for shape in sorted({ask.shape for ask in asked}):
        mine = [s.shape == a.shape for a, s in pairs if a.shape == shape]
        shares[shape] = Proportion(sum(mine), len(mine)).document()
    return shares


def shuffle_prompts(asked: Sequence[PromptCase]) -> list[PromptCase]:
    """Every picture is asked for what another one was asked for: a control, near chance for any model."""
    half = len(asked) // 2 + 1
    return [*asked[half:], *asked[:half]]

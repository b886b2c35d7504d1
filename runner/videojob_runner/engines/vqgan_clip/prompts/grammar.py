"""
The prompt language: `phrase ^ phrase`, each `item | item`, each `body[:weight[:stop]]`.

Items of a phrase act together, phrases follow each other in time. The body is a text, the path of a picture or the seed
of a noise, by the kind of the prompts. Three rules decide where upstream programs guessed wrong or crashed:

* A number belongs to the item only when it touches its colon: `cat:0.5` has weight 0.5, while `Blade Runner: 2049`
  and `note: a cat` are plain text.
* Weights lie within ±100, so a title such as `Blade Runner:2049` is refused instead of drowning every other item.
* What stands in double quotes is literal, `"at 12:30 | ^":0.5` included.

Empty items are dropped; whitespace around items means nothing. A phrase without items holds its place in time, as
another kind of prompts may have something to say there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["text", "image", "noise"]

LARGEST_WEIGHT: Final = 100.0
"""Magnitude beyond which a number is taken for part of the text by mistake."""
LARGEST_SEED: Final = 2**63 - 1
"""Of a noise prompt."""

NUMBER: Final = re.compile(r":([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf(?:inity)?|nan))$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One item, which attracts the picture (weight > 0) or repels it (weight < 0)."""

    body: str
    """A text, the path of a picture below the input folder, or the digits of a seed, by `kind`."""
    weight: float = 1.0
    stop: float = -math.inf
    """Distance times the weight's sign below which the item no longer pulls."""
    kind: Kind = "text"

    def __str__(self) -> str:
        """For people."""
        return self.body if self.kind == "text" else f"{self.kind} {self.body}"


Phrase = tuple[Prompt, ...]
"""Items that act at the same time."""


class PromptFault(ValueError):
    """The prompts cannot be read; `position` is the 1-based character where the fault lies."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(f"{message} (character {position})")
        self.position = position


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the source; `start` is its 0-based place there."""

    text: str
    start: int = 0

    def fault(self, message: str, *, offset: int = 0) -> PromptFault:
        """A fault at `offset` within the piece."""
        return PromptFault(message, position=self.start + offset + 1)

    def trimmed(self) -> Piece:
        """The same without whitespace at both ends; of nothing else, its beginning."""
        text = self.text.strip()
        return Piece(text, self.start + self.text.find(text))

    def parts(self, separators: Iterator[int]) -> Iterator[Piece]:
        """What lies between the separators, whose places are given."""
        start = 0
        for end in [*separators, len(self.text)]:
            yield Piece(self.text[start:end], self.start + start)
            start = end + 1


def parse(source: str, *, kind: Kind = "text") -> tuple[Phrase, ...]:
    """The phrases of `source` in order; one that is empty in the source is an empty tuple. Raises PromptFault."""
    return tuple(read(piece, kind) for piece in cut(source))


def cut(source: str) -> Iterator[Piece]:
    """Where the phrases stand. Raises PromptFault."""
    return split(Piece(source), "^")


def read(phrase: Piece, kind: Kind) -> Phrase:
    """The items of one phrase. Raises PromptFault."""
    return tuple(item(part, kind) for part in split(phrase, "|") if part.text)


def split(piece: Piece, separator: str) -> Iterator[Piece]:
    """The trimmed parts of `piece` between separators that stand outside quotes. Raises PromptFault."""
    return (part.trimmed() for part in piece.parts(unquoted(piece, separator)))


def unquoted(piece: Piece, wanted: str) -> Iterator[int]:
    """Places of the character `wanted` outside double quotes; raises PromptFault for a quote that never closes."""
    opened: int | None = None
    for place, character in enumerate(piece.text):
        if character == '"':
            opened = place if opened is None else None
        elif character == wanted and opened is None:
            yield place
    if opened is not None:
        raise piece.fault("this double quote is never closed; add the second one or take it away", offset=opened)


def item(piece: Piece, kind: Kind) -> Prompt:
    """One `body[:weight[:stop]]`; numbers are taken from the right. Raises PromptFault."""
    body, numbers = piece.text, list[float]()
    while len(numbers) < 2 and (found := NUMBER.search(body)):
        numbers.insert(0, float(found[1]))
        body = body[: found.start()]
    if body.endswith(":"):
        raise piece.fault("a number must follow the colon, as in `sea:0.5`", offset=len(body) - 1)
    weight, stop = (*numbers, *(1.0, -math.inf)[len(numbers) :])
    if not abs(weight) <= LARGEST_WEIGHT:  # NaN compares false
        remedy = "put double quotes around the text if the number belongs to it"
        raise piece.fault(f"weight {weight:g} is not within ±{LARGEST_WEIGHT:g}; {remedy}", offset=len(body))
    if math.isnan(stop) or stop == math.inf:
        raise piece.fault(f"stop {stop:g} is not a number to stop at; use a finite one", offset=len(body))
    return Prompt(checked(literal(Piece(body, piece.start)), kind), weight, stop, kind)


def literal(piece: Piece) -> Piece:
    """The body itself, without quotes around all of it. Raises PromptFault when nothing is left."""
    text = piece.text
    quoted = text.startswith('"') and text.endswith('"') and text.count('"') == 2
    body = (Piece(text[1:-1], piece.start + 1) if quoted else piece).trimmed()
    if not body.text:
        raise piece.fault("there is nothing before the weight; write something")
    return body


def checked(body: Piece, kind: Kind) -> str:
    """The body's text. Raises PromptFault for a noise that is no seed."""
    if kind == "noise" and not (body.text.isascii() and body.text.isdecimal() and int(body.text) <= LARGEST_SEED):
        raise body.fault(f"a noise prompt is a whole number from 0 to {LARGEST_SEED}, not {body.text!r}")
    return body.text


def phrase_of_frame(frame: int, *, frames: int, phrases: int, changes: Sequence[int] | None) -> int:
    """
    Which phrase (0-based) frame `frame` (1-based) of `frames` shows.

    `changes` are the 1-based frames from which the next phrase counts, in any order; the last phrase stays. Without
    them the phrases share the frames evenly.
    """
    if changes is None:
        return (frame - 1) * phrases // frames
    return min(sum(change <= frame for change in set(changes)), phrases - 1)

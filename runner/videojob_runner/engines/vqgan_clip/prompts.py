"""
The prompt language: `phrase ^ phrase`, each `item | item`, each `text[:weight[:stop]]`.

Items of a phrase act together, phrases follow each other in time. The language has no escape, so three rules decide
where upstream programs guessed wrong or crashed:

* A number belongs to the item only when it touches its colon: `cat:0.5` has weight 0.5, while `Blade Runner: 2049`
  and `note: a cat` are plain text.
* Weights lie within ±100, so a title such as `Blade Runner:2049` is refused instead of drowning every other item.
* Text in double quotes is literal, `"at 12:30 | ^":0.5` included.

Empty items are refused with the position of the fault; whitespace around items means nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

LARGEST_WEIGHT: Final = 100.0
"""Magnitude beyond which a number is taken for part of the text by mistake."""

NUMBER: Final = re.compile(r":([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf(?:inity)?|nan))$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One item: a text that attracts the picture (weight > 0) or repels it (weight < 0)."""

    text: str
    weight: float = 1.0
    stop: float = -math.inf
    """Distance times the weight's sign below which the item no longer pulls."""


Phrase = tuple[Prompt, ...]
"""Items that act at the same time."""


class PromptFault(ValueError):
    """The prompts cannot be read; `position` is the 1-based character where the fault lies."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(f"{message} (character {position})")
        self.position = position


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the source, trimmed; `start` is its 0-based place there."""

    text: str
    start: int

    def fault(self, message: str, *, offset: int = 0) -> PromptFault:
        """A fault at `offset` within the piece."""
        return PromptFault(message, position=self.start + offset + 1)


def parse(source: str) -> tuple[Phrase, ...]:
    """The phrases of `source` in order. Raises PromptFault."""
    phrases = split(Piece(source, 0), "^")
    return tuple(tuple(item(piece) for piece in split(phrase, "|")) for phrase in phrases)


def split(piece: Piece, separator: str) -> Iterator[Piece]:
    """The trimmed parts of `piece` between separators that stand outside quotes; raises PromptFault for empty ones."""
    start = 0
    for end in [*unquoted(piece, separator), len(piece.text)]:
        part = piece.text[start:end]
        if not part.strip():
            where = f"next to {separator!r}" if len(part) < len(piece.text) else "in the prompts"
            raise piece.fault(f"there is no text {where}; write some or take the separator away", offset=start)
        yield Piece(part.strip(), piece.start + start + len(part) - len(part.lstrip()))
        start = end + 1


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


def item(piece: Piece) -> Prompt:
    """One `text[:weight[:stop]]`; numbers are taken from the right. Raises PromptFault."""
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
    return Prompt(literal(Piece(body, piece.start)), weight, stop)


def literal(piece: Piece) -> str:
    """The text itself, without quotes around all of it. Raises PromptFault when nothing is left."""
    text = piece.text
    quoted = text.startswith('"') and text.endswith('"') and text.count('"') == 2
    text = (text[1:-1] if quoted else text).strip()
    if not text:
        raise piece.fault("there is no text before the weight; write some")
    return text


def phrase_of_frame(frame: int, *, frames: int, phrases: int, changes: Sequence[int] | None) -> int:
    """
    Which phrase (0-based) frame `frame` (1-based) of `frames` shows.

    `changes` are the 1-based frames from which the next phrase counts, in any order; the last phrase stays. Without
    them the phrases share the frames evenly.
    """
    if changes is None:
        return (frame - 1) * phrases // frames
    return min(sum(change <= frame for change in set(changes)), phrases - 1)

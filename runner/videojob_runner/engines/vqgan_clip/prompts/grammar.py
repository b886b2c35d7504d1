"""
The prompt language: `phrase ^ phrase`, each `parse_prompt | parse_prompt`, each `body[:weight[:stop]]`.

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

PromptKind = Literal["text", "image", "noise"]

MAX_WEIGHT: Final = 100.0
"""Magnitude beyond which a number is taken for part of the text by mistake."""
MAX_SEED: Final = 2**63 - 1
"""Of a noise prompt."""

NUMBER_PATTERN: Final = re.compile(
    r":([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf(?:inity)?|nan))$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One item, which attracts the picture (weight > 0) or repels it (weight < 0)."""

    body: str
    """A text, the path of a picture below the input folder, or the digits of a seed, by `kind`."""
    weight: float = 1.0
    stop: float = -math.inf
    """Distance times the weight's sign below which the item no longer pulls."""
    kind: PromptKind = "text"

    def __str__(self) -> str:
        """Return the prompt as shown in logs and loss plots, without its weight."""
        return self.body if self.kind == "text" else f"{self.kind} {self.body}"


Phrase = tuple[Prompt, ...]
"""Items that act at the same time."""


class PromptSyntaxError(ValueError):
    """The prompts cannot be read; `position` is the 1-based character where the fault lies."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(f"{message} (character {position})")
        self.position = position


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the source; `start` is its 0-based place there."""

    text: str
    start: int = 0

    def error(self, message: str, *, offset: int = 0) -> PromptSyntaxError:
        """A fault at `offset` within the piece."""
        return PromptSyntaxError(message, position=self.start + offset + 1)

    def strip(self) -> Span:
        """The same without whitespace at both ends; of nothing else, its beginning."""
        text = self.text.strip()
        return Span(text, self.start + self.text.find(text))

    def split_at(self, separators: Iterator[int]) -> Iterator[Span]:
        """What lies between the separators, whose places are given."""
        start = 0
        for end in [*separators, len(self.text)]:
            yield Span(self.text[start:end], self.start + start)
            start = end + 1


def parse(source: str, *, kind: PromptKind = "text") -> tuple[Phrase, ...]:
    """The phrases of `source` in order; one that is empty in the source is an empty tuple. Raises PromptSyntaxError."""
    return tuple(parse_phrase(piece, kind) for piece in split_phrases(source))


def split_phrases(source: str) -> Iterator[Span]:
    """Where the phrases stand. Raises PromptSyntaxError."""
    return split_unquoted(Span(source), "^")


def parse_phrase(phrase: Span, kind: PromptKind) -> Phrase:
    """The items of one phrase. Raises PromptSyntaxError."""
    return tuple(parse_prompt(part, kind) for part in split_unquoted(phrase, "|") if part.text)


def split_unquoted(piece: Span, separator: str) -> Iterator[Span]:
    """The trimmed parts of `piece` between separators that stand outside quotes. Raises PromptSyntaxError."""
    return (part.strip() for part in piece.split_at(find_unquoted(piece, separator)))


def find_unquoted(piece: Span, wanted: str) -> Iterator[int]:
    """
    Places of the character `wanted` outside double quotes; raises PromptSyntaxError for a quote that never closes.
    """
    opened: int | None = None
    for place, character in enumerate(piece.text):
        if character == '"':
            opened = place if opened is None else None
        elif character == wanted and opened is None:
            yield place
    if opened is not None:
        raise piece.error("unterminated double quote; close or remove it", offset=opened)


def parse_prompt(piece: Span, kind: PromptKind) -> Prompt:
    """One `body[:weight[:stop]]`; numbers are taken from the right. Raises PromptSyntaxError."""
    body, numbers = piece.text, list[float]()
    while len(numbers) < 2 and (found := NUMBER_PATTERN.search(body)):
        numbers.insert(0, float(found[1]))
        body = body[: found.start()]
    if body.endswith(":"):
        raise piece.error("a number must follow the colon, as in `sea:0.5`", offset=len(body) - 1)
    weight, stop = (*numbers, *(1.0, -math.inf)[len(numbers) :])
    if not abs(weight) <= MAX_WEIGHT:  # NaN compares false
        remedy = "put double quotes around the text if the number belongs to it"
        raise piece.error(f"weight {weight:g} is not within ±{MAX_WEIGHT:g}; {remedy}", offset=len(body))
    if math.isnan(stop) or stop == math.inf:
        raise piece.error(f"stop {stop:g} is not a number to stop at; use a finite number", offset=len(body))
    return Prompt(validate_body(unquote(Span(body, piece.start)), kind), weight, stop, kind)


def unquote(piece: Span) -> Span:
    """The body itself, without quotes around all of it. Raises PromptSyntaxError when nothing is left."""
    text = piece.text
    quoted = text.startswith('"') and text.endswith('"') and text.count('"') == 2
    body = (Span(text[1:-1], piece.start + 1) if quoted else piece).strip()
    if not body.text:
        raise piece.error("there is no text before the weight; add some")
    return body


def validate_body(body: Span, kind: PromptKind) -> str:
    """The body's text. Raises PromptSyntaxError for a noise that is no seed."""
    if kind == "noise" and not (body.text.isascii() and body.text.isdecimal() and int(body.text) <= MAX_SEED):
        raise body.error(f"a noise prompt must be a whole number from 0 to {MAX_SEED}, not {body.text!r}")
    return body.text


def phrase_at_frame(frame: int, *, frames: int, phrases: int, changes: Sequence[int] | None) -> int:
    """
    Which phrase (0-based) frame `frame` (1-based) of `frames` shows.

    `changes` are the 1-based frames from which the next phrase counts, in any order; the last phrase stays. Without
    them the phrases share the frames evenly.
    """
    if changes is None:
        return (frame - 1) * phrases // frames
    return min(sum(change <= frame for change in set(changes)), phrases - 1)

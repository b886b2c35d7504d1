"""
The prompt language as the original programs read it (specification vqgan-clip §3.1), for `compat: upstream`.

There are no quotes; every `:` before the last two counts as text and what follows the others must be a number, with or
without whitespace: `Blade Runner: 2049` has weight 2049, and `note: a cat` is refused. Items keep their whitespace.
Where the original read an empty item as the empty text or a weight of NaN, this drops the item or refuses the number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from videojob_runner.engines.vqgan_clip.prompts.grammar import Phrase, Prompt, PromptKind, Span, validate_body


def parse(source: str, *, kind: PromptKind = "text") -> tuple[Phrase, ...]:
    """The phrases of `source` in order; one that is empty in the source is an empty tuple. Raises PromptSyntaxError."""
    return tuple(parse_phrase(piece, kind) for piece in split_phrases(source))


def split_phrases(source: str) -> Iterator[Span]:
    """Where the phrases stand."""
    return (part.strip() for part in Span(source).split_at(find_all(source, "^")))


def parse_phrase(phrase: Span, kind: PromptKind) -> Phrase:
    """The items of one phrase. Raises PromptSyntaxError."""
    return tuple(parse_prompt(part, kind) for part in phrase.split_at(find_all(phrase.text, "|")) if part.text.strip())


def find_all(text: str, separator: str) -> Iterator[int]:
    """Where `separator` stands."""
    return (place for place, character in enumerate(text) if character == separator)


def parse_prompt(piece: Span, kind: PromptKind) -> Prompt:
    """One `body:weight:stop`, split from the right at most twice. Raises PromptSyntaxError."""
    body, *numbers = piece.split_at(iter(list(find_all(piece.text, ":"))[-2:]))
    weight, stop = 1.0, -math.inf
    for place, part in enumerate(numbers):
        if place == 0:
            weight = parse_number(part)
        elif part.text.strip().lower() != "-inf":
            stop = parse_number(part)
    return Prompt(validate_body(body.strip() if kind == "noise" else body, kind), weight, stop, kind)


def parse_number(piece: Span) -> float:
    """The finite number in `piece`. Raises PromptSyntaxError."""
    try:
        value = float(piece.text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise piece.error(f"{piece.text!r} is not a number; with compat: upstream only a number may follow a colon")
    return value

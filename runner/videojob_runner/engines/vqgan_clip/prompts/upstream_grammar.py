"""
The prompt language as the original programs read it (specification vqgan-clip §3.1), for `compat: upstream`.

There are no quotes; every `:` before the last two counts as text and what follows the others must be a number, with or
without whitespace: `Blade Runner: 2049` has weight 2049, and `note: a cat` is refused. Items keep their whitespace.
Where the original read an empty item as the empty text or a weight of NaN, this drops the item or refuses the number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from videojob_runner.engines.vqgan_clip.prompts.grammar import Kind, Phrase, Piece, Prompt, checked


def parse(source: str, *, kind: Kind = "text") -> tuple[Phrase, ...]:
    """The phrases of `source` in order; one that is empty in the source is an empty tuple. Raises PromptFault."""
    return tuple(read(piece, kind) for piece in cut(source))


def cut(source: str) -> Iterator[Piece]:
    """Where the phrases stand."""
    return (part.trimmed() for part in Piece(source).parts(places(source, "^")))


def read(phrase: Piece, kind: Kind) -> Phrase:
    """The items of one phrase. Raises PromptFault."""
    return tuple(item(part, kind) for part in phrase.parts(places(phrase.text, "|")) if part.text.strip())


def places(text: str, separator: str) -> Iterator[int]:
    """Where `separator` stands."""
    return (place for place, character in enumerate(text) if character == separator)


def item(piece: Piece, kind: Kind) -> Prompt:
    """One `body:weight:stop`, split from the right at most twice. Raises PromptFault."""
    body, *numbers = piece.parts(iter(list(places(piece.text, ":"))[-2:]))
    weight, stop = 1.0, -math.inf
    for place, part in enumerate(numbers):
        if place == 0:
            weight = number(part)
        elif part.text.strip().lower() != "-inf":
            stop = number(part)
    return Prompt(checked(body.trimmed() if kind == "noise" else body, kind), weight, stop, kind)


def number(piece: Piece) -> float:
    """The finite number in `piece`. Raises PromptFault."""
    try:
        value = float(piece.text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise piece.fault(f"{piece.text!r} is no number, and only one may follow a colon with compat: upstream")
    return value

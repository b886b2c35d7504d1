"""
The three kinds of prompts of a form, merged into one story: which prompts of every kind act in which phrase.

The kinds share one count of phrases, the longest; a kind with fewer sticks on its last phrase (specification vqgan-clip
§3.3). A phrase may be empty in one kind but not in all.
"""

from __future__ import annotations

from dataclasses import dataclass

from videojob_api.pipelines.vqgan_clip import PromptedForm

from videojob_runner.engines.vqgan_clip.prompts import grammar, upstream_grammar
from videojob_runner.engines.vqgan_clip.prompts.grammar import Kind, Phrase, Piece, PromptFault
from videojob_runner.errors import BadConfig


@dataclass(frozen=True, slots=True)
class Strand:
    """The phrases of one kind, and where each of them stands in the field that holds them."""

    phrases: tuple[Phrase, ...]
    pieces: tuple[Piece, ...]
    field: str

    def at(self, index: int) -> Phrase:
        """Phrase `index` (0-based), or the last."""
        return self.phrases[min(index, len(self.phrases) - 1)]

    def lacks(self, index: int) -> BadConfig:
        """Says that phrase `index` has nothing to steer towards, and where it should stand."""
        if len(self.phrases) == 1:
            return BadConfig("no valid prompts were provided; write at least one", field=self.field)
        message = f"phrase {index + 1} is empty in every kind of prompts; write some or take its '^' away"
        return BadConfig(str(self.pieces[index].fault(message)), field=self.field)


def read_story(form: PromptedForm, *, field: str, upstream: bool) -> tuple[Phrase, ...]:
    """The phrases of `form`, whose name is `field`. Raises BadConfig with field and position of a fault."""
    fields: tuple[tuple[str, Kind, str | None], ...] = (
        ("prompts", "text", form.prompts),
        ("imagePrompts", "image", form.image_prompts),
        ("noisePrompts", "noise", form.noise_prompts),
    )
    strands = [
        strand(source, kind, field=f"{field}.{name}", upstream=upstream) for name, kind, source in fields if source
    ]
    story = merged(strands)
    for index, phrase in enumerate(story):
        if not phrase:
            raise max(strands, key=lambda each: len(each.phrases)).lacks(index)
    return story


def strand(source: str, kind: Kind, *, field: str, upstream: bool) -> Strand:
    """The phrases of one kind. Raises BadConfig."""
    cut, read = (upstream_grammar.cut, upstream_grammar.read) if upstream else (grammar.cut, grammar.read)
    try:
        pieces = tuple(cut(source))
        return Strand(tuple(read(piece, kind) for piece in pieces), pieces, field)
    except PromptFault as fault:
        raise BadConfig(str(fault), field=field) from fault


def merged(strands: list[Strand]) -> tuple[Phrase, ...]:
    """All kinds' phrases side by side."""
    longest = max((len(each.phrases) for each in strands), default=0)
    return tuple(tuple(prompt for each in strands for prompt in each.at(index)) for index in range(longest))

"""
The three kinds of prompts of a form, merged into one story: which prompts of every kind act in which phrase.

The kinds share one count of phrases, the longest; a kind with fewer sticks on its last phrase (specification vqgan-clip
§3.3). A phrase may be empty in one kind but not in all.
"""

from __future__ import annotations

from dataclasses import dataclass

from videojob_api.pipelines.vqgan_clip import PromptedForm

from videojob_runner.engines.vqgan_clip.prompts import grammar, upstream_grammar
from videojob_runner.engines.vqgan_clip.prompts.grammar import Phrase, PromptKind, PromptSyntaxError, Span
from videojob_runner.errors import BadConfig


@dataclass(frozen=True, slots=True)
class PromptTrack:
    """The phrases of one kind, and where each of them stands in the field that holds them."""

    phrases: tuple[Phrase, ...]
    spans: tuple[Span, ...]
    field: str

    def phrase(self, index: int) -> Phrase:
        """Phrase `index` (0-based), or the last."""
        return self.phrases[min(index, len(self.phrases) - 1)]

    def empty_phrase_error(self, index: int) -> BadConfig:
        """Says that phrase `index` has nothing to steer towards, and where it should stand."""
        if len(self.phrases) == 1:
            return BadConfig("no valid prompts were provided; add at least one", field=self.field)
        message = f"phrase {index + 1} is empty in every kind of prompt; add a prompt or remove its '^'"
        return BadConfig(str(self.spans[index].error(message)), field=self.field)


def merge_tracks(form: PromptedForm, *, field: str, upstream: bool) -> tuple[Phrase, ...]:
    """The phrases of `form`, whose name is `field`. Raises BadConfig with field and position of a fault."""
    fields: tuple[tuple[str, PromptKind, str | None], ...] = (
        ("prompts", "text", form.prompts),
        ("imagePrompts", "image", form.image_prompts),
        ("noisePrompts", "noise", form.noise_prompts),
    )
    strands = [
        parse_track(source, kind, field=f"{field}.{name}", upstream=upstream) for name, kind, source in fields if source
    ]
    story = merge_phrases(strands)
    for index, phrase in enumerate(story):
        if not phrase:
            raise max(strands, key=lambda each: len(each.phrases)).empty_phrase_error(index)
    return story


def parse_track(source: str, kind: PromptKind, *, field: str, upstream: bool) -> PromptTrack:
    """The phrases of one kind. Raises BadConfig."""
    cut, read = (
        (upstream_grammar.split_phrases, upstream_grammar.parse_phrase)
        if upstream
        else (grammar.split_phrases, grammar.parse_phrase)
    )
    try:
        pieces = tuple(cut(source))
        return PromptTrack(tuple(read(piece, kind) for piece in pieces), pieces, field)
    except PromptSyntaxError as fault:
        raise BadConfig(str(fault), field=field) from fault


def merge_phrases(strands: list[PromptTrack]) -> tuple[Phrase, ...]:
    """All kinds' phrases side by side."""
    longest = max((len(each.phrases) for each in strands), default=0)
    return tuple(tuple(prompt for each in strands for prompt in each.phrase(index)) for index in range(longest))

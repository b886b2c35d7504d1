"""
Words for scenes, and which words are true of which pictures.

A caption carries a row of its own: what it mentions, with `UNMENTIONED` elsewhere. It is true of a picture when every
mentioned attribute is equal, so duplicate and partial captions are positives of several pictures and never false
negatives. A full caption always fixes shape, colour, count and style: saying no style means a plain filled shape,
and "a circle" means one. Fragments ("something red", "dotted") fix only what they say.
"""

from __future__ import annotations

import functools
from typing import Final

import clip
import numpy as np
import torch
from clip.simple_tokenizer import SimpleTokenizer
from numpy.typing import NDArray

from packs.shapes import vocabulary as words

Rows = NDArray[np.int8]

CONTEXT: Final = 77
UNKNOWN_TOKEN: Final = 49405
"""A rare token that stands for every word outside the vocabulary; its trained row is copied to those at export."""
START_TOKEN, END_TOKEN = 49406, 49407

PREFIXES: Final = tuple(f"a {noun} of" for noun in ("picture", "image", "photo", "painting", "rendering"))
PLURALS: Final = {shape: shape + ("es" if shape.endswith("s") else "s") for shape in words.SHAPES}
NUMBERS: Final = {2: "two", 3: "three"}


def mention_row(**mentioned: int) -> Rows:
    """A caption's row from its mentions, e.g. ``mention_row(shape=0, count=1)``."""
    row = np.full(words.ATTRIBUTES, words.UNMENTIONED, np.int8)
    for name, value in mentioned.items():
        row[getattr(words, name.upper())] = value
    return row


def with_article(phrase: str) -> str:
    """The phrase with "a" or "an" before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def color_word(index: int, rng: np.random.Generator) -> str:
    """Name of a colour; gray in both spellings."""
    name = words.BACKGROUNDS[index]
    return "grey" if name == "gray" and rng.random() < 0.5 else name


def background_phrase(index: int, rng: np.random.Generator) -> str:
    """How a caption ends when it names the background."""
    name = color_word(index, rng)
    forms = (f"on {with_article(name)} background", f"on {name}", f"with {with_article(name)} background")
    return forms[rng.choice(3, p=[0.6, 0.2, 0.2])]


def empty_caption(row: Rows, rng: np.random.Generator) -> tuple[str, Rows]:
    """Words for a picture without an object."""
    background = int(row[words.BACKGROUND])
    name = color_word(background, rng)
    if rng.random() < 0.4:
        return f"{with_article(name)} background", mention_row(background=background)
    form = (f"an empty {name} picture", f"nothing on {with_article(name)} background")[rng.integers(2)]
    return form, mention_row(background=background, count=0)


def noun_phrase(row: Rows, mention: Rows, rng: np.random.Generator) -> tuple[str, str]:
    """The subject of a full caption and the phrase that may follow it; writes size and style into `mention`."""
    shape, colour, _, size, _, count, style = (int(v) for v in row)
    style_name, suffix = words.STYLES[style], ""
    adjectives = [words.COLOURS[colour]]
    if style_name == "plain":
        adjectives[:0] = ["plain"] if rng.random() < 0.12 else []
    elif (form := rng.random()) < 0.7:
        adjectives.insert(0 if form < 0.55 else 1, style_name)
    else:
        suffix = f", {style_name}" if form < 0.85 else f" in {with_article(style_name)} style"
    mention[words.STYLE] = style
    if words.SIZES[size] in ("small", "large") and count == 1 and rng.random() < 0.65:
        adjectives.insert(0, words.SIZES[size])
        mention[words.SIZE] = size
    if count > 1:
        return " ".join([NUMBERS[count], *adjectives, PLURALS[words.SHAPES[shape]]]), suffix
    phrase = " ".join([*adjectives, words.SHAPES[shape]])
    return (with_article(phrase) if rng.random() < 0.85 else phrase), suffix


def full_caption(row: Rows, rng: np.random.Generator) -> tuple[str, Rows]:
    """A sentence-like caption of a picture with objects."""
    mention = mention_row(shape=int(row[words.SHAPE]), colour=int(row[words.COLOUR]), count=int(row[words.COUNT]))
    subject, suffix = noun_phrase(row, mention, rng)
    parts = [subject]
    if row[words.POSITION] > 0 and rng.random() < 0.5:
        parts.append(f"at the {words.POSITIONS[row[words.POSITION]]}")
        mention[words.POSITION] = row[words.POSITION]
    if rng.random() < 0.6:
        parts.append(background_phrase(int(row[words.BACKGROUND]), rng))
        mention[words.BACKGROUND] = row[words.BACKGROUND]
    if rng.random() < 0.45:
        parts.insert(0, PREFIXES[rng.integers(len(PREFIXES))])
    return " ".join(parts) + suffix, mention


def fragment(row: Rows, rng: np.random.Generator) -> tuple[str, Rows]:
    """One or two attributes of a picture with objects, nothing else."""
    shape, colour, background, _, _, count, style = (int(v) for v in row)
    noun = with_article(words.SHAPES[shape]) if count == 1 else f"{NUMBERS[count]} {PLURALS[words.SHAPES[shape]]}"
    if words.STYLES[style] != "plain" and rng.random() < 0.4:
        return f"{words.STYLES[style]}{' style' if rng.random() < 0.5 else ''}", mention_row(style=style)
    match rng.integers(4):
        case 0:
            return f"something {words.COLOURS[colour]}", mention_row(colour=colour)
        case 1:
            return noun, mention_row(shape=shape, count=count)
        case 2:
            return f"{with_article(color_word(background, rng))} background", mention_row(background=background)
        case _:
            pair = f"{words.COLOURS[colour]} on {color_word(background, rng)}"
            return pair, mention_row(colour=colour, background=background)


def draw_caption(row: Rows, rng: np.random.Generator) -> tuple[str, Rows]:
    """A caption that is true of the picture, with what it mentions; the row must not be all `NOTHING`."""
    if row[words.COUNT] == 0:
        return empty_caption(row, rng)
    return fragment(row, rng) if rng.random() < 0.16 else full_caption(row, rng)


def match_matrix(mentions: Rows, rows: Rows) -> NDArray[np.bool_]:
    """``[captions, pictures]``: whether every attribute that the caption mentions is equal in the picture."""
    unsaid = mentions[:, None, :] == words.UNMENTIONED
    return np.asarray((unsaid | (mentions[:, None, :] == rows[None])).all(axis=2))


@functools.cache
def tokenizer() -> SimpleTokenizer:
    """CLIP's own byte-pair tokenizer."""
    return SimpleTokenizer()


@functools.cache
def word_tokens(word: str) -> tuple[int, ...]:
    """Tokens of one blank-separated word; byte pairs never cross a blank."""
    return tuple(tokenizer().encode(word))


def tokenize(caption: str) -> list[int]:
    """Tokens of a caption without start and end marks."""
    return [token for word in caption.split() for token in word_tokens(word)]


def add_filler(ids: list[int], rng: np.random.Generator) -> list[int]:
    """In 30 % of the cases 1–6 unknown words at the start, at the end or anywhere."""
    if rng.random() >= 0.3:
        return ids
    count = int(rng.integers(1, 7))
    match rng.integers(3):
        case 0:
            return [UNKNOWN_TOKEN] * count + ids
        case 1:
            return ids + [UNKNOWN_TOKEN] * count
        case _:
            ids = list(ids)
            for _ in range(count):
                ids.insert(int(rng.integers(len(ids) + 1)), UNKNOWN_TOKEN)
            return ids


def pad_batch(batch: list[list[int]]) -> torch.Tensor:
    """Token rows with start and end marks, int64 ``[captions, longest]``; zeros after the end as CLIP has it."""
    longest = max(len(ids) for ids in batch) + 2
    return torch.tensor([[START_TOKEN, *ids, END_TOKEN, *[0] * (longest - len(ids) - 2)] for ids in batch])


def vocabulary_tokens() -> set[int]:
    """Every token that a caption can hold, the unknown one included."""
    names = {
        *words.SHAPES,
        *PLURALS.values(),
        *words.BACKGROUNDS,
        "grey",
        *words.SIZES,
        *words.STYLES,
        *NUMBERS.values(),
    }
    rest = "a an the of at top bottom on in with background style something nothing empty , plain"
    every = [*names, *rest.split(), *" ".join(PREFIXES).split()]
    return {token for word in every for token in word_tokens(word)} | {UNKNOWN_TOKEN}


def prompt_tokens(prompts: list[str]) -> torch.Tensor:
    """Prompts as CLIP's own tokenizer sees them, int64 ``[prompts, 77]``."""
    return torch.as_tensor(clip.tokenize(prompts, context_length=CONTEXT)).long()

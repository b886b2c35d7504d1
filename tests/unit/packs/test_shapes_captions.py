"""Captions are true of the pictures they were made for, and the match matrix says of which others."""

from __future__ import annotations

import clip
import numpy as np
import pytest

from packs.shapes import captions, renderer
from packs.shapes import vocabulary as words

RED_CIRCLE_ON_BLUE = np.array([0, 0, 2, 1, 0, 1, 0], np.int8)
STRIPED_RED_CIRCLE_ON_BLUE = np.array([0, 0, 2, 1, 0, 1, 1], np.int8)
TWO_RED_CIRCLES_ON_BLUE = np.array([0, 0, 2, words.NO_CAPTION, words.NO_CAPTION, 2, 0], np.int8)
EMPTY_BLUE = np.array(
    [words.NO_CAPTION, words.NO_CAPTION, 2, words.NO_CAPTION, words.NO_CAPTION, 0, words.NO_CAPTION], np.int8
)
TEXTURE = np.full(7, words.NO_CAPTION, np.int8)
PICTURES = np.stack([RED_CIRCLE_ON_BLUE, STRIPED_RED_CIRCLE_ON_BLUE, TWO_RED_CIRCLES_ON_BLUE, EMPTY_BLUE, TEXTURE])


@pytest.mark.parametrize(
    ("caption", "true_of"),
    [
        (captions.mention_row(shape=0, colour=0, count=1, style=0), [True, False, False, False, False]),
        (captions.mention_row(colour=0), [True, True, True, False, False]),
        (captions.mention_row(background=2), [True, True, True, True, False]),
        (captions.mention_row(background=2, count=0), [False, False, False, True, False]),
        (captions.mention_row(shape=0, count=2), [False, False, True, False, False]),
        (captions.mention_row(style=1), [False, True, False, False, False]),
        (captions.mention_row(colour=1), [False] * 5),
        (captions.mention_row(size=1), [True, True, False, False, False]),
    ],
)
def test_a_caption_matches_exactly_the_pictures_with_every_mentioned_attribute(
    caption: captions.Rows, true_of: list[bool]
) -> None:
    assert captions.match_matrix(caption[None], PICTURES).tolist() == [true_of]


def test_every_caption_is_true_of_its_own_picture() -> None:
    rng = np.random.default_rng(0)
    _, rows = renderer.render_chunk(5, 400)
    labelled = rows[rows[:, words.COUNT] >= 0]
    mentions = np.stack([captions.draw_caption(row, rng)[1] for row in labelled])
    assert captions.match_matrix(mentions, labelled).diagonal().all()


def test_a_full_caption_says_every_attribute_that_it_mentions() -> None:
    rng = np.random.default_rng(1)
    texts = [captions.full_caption(STRIPED_RED_CIRCLE_ON_BLUE, rng) for _ in range(200)]
    for text, mention in texts:
        assert "red" in text and "circle" in text and "striped" in text
        assert ("blue" in text) == (mention[words.BACKGROUND] == 2)
        assert mention[words.SIZE] == words.UNMENTIONED


def test_saying_no_style_means_plain() -> None:
    rng = np.random.default_rng(2)
    unsaid = [
        m for text, m in (captions.full_caption(RED_CIRCLE_ON_BLUE, rng) for _ in range(50)) if "plain" not in text
    ]
    assert unsaid and all(mention[words.STYLE] == 0 for mention in unsaid)


def test_articles_fit_the_next_word() -> None:
    assert captions.with_article("orange star") == "an orange star"
    assert captions.with_article("red star") == "a red star"


@pytest.mark.parametrize(
    "text", ["a red circle", "two orange stars, dotted", "a photo of a grey zebra on a blue background"]
)
def test_tokens_are_those_of_clip_s_own_tokenizer(text: str) -> None:
    ids = captions.pad_batch([captions.tokenize(text)])[0].tolist()
    assert ids == clip.tokenize([text])[0, : len(ids)].tolist()


def test_padding_follows_the_end_mark() -> None:
    short, long = captions.pad_batch([[5], [5, 6, 7]]).tolist()
    assert short == [captions.START_TOKEN, 5, captions.END_TOKEN, 0, 0]
    assert long == [captions.START_TOKEN, 5, 6, 7, captions.END_TOKEN]


def test_captions_use_only_the_vocabulary() -> None:
    rng = np.random.default_rng(3)
    _, rows = renderer.render_chunk(6, 400)
    texts = [captions.draw_caption(row, rng)[0] for row in rows if row[words.COUNT] >= 0]
    used = {token for text in texts for token in captions.tokenize(text)}
    assert used <= captions.vocabulary_tokens()


def test_filler_adds_only_the_unknown_word() -> None:
    rng = np.random.default_rng(4)
    drawn = [captions.add_filler([1, 2, 3], rng) for _ in range(300)]
    longer = [ids for ids in drawn if len(ids) > 3]
    assert 0.2 < len(longer) / len(drawn) < 0.4
    assert all([token for token in ids if token != captions.UNKNOWN_TOKEN] == [1, 2, 3] for ids in drawn)
    assert max(len(ids) for ids in drawn) <= 9

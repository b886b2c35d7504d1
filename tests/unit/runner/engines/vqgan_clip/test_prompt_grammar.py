"""The prompt language: what every form means, and where every fault is pointed out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from videojob_runner.engines.vqgan_clip.prompts.grammar import Prompt, PromptSyntaxError, parse, phrase_at_frame


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a cat", Prompt("a cat")),
        ("  a cat ", Prompt("a cat")),
        ("a cat:0.5", Prompt("a cat", 0.5)),
        ("a cat:0.5:0.1", Prompt("a cat", 0.5, 0.1)),
        ("x:-1", Prompt("x", -1)),
        ("x:-1:-0.5", Prompt("x", -1, -0.5)),
        ("x:.5e1", Prompt("x", 5)),
        ("x:+2", Prompt("x", 2)),
        ("x:1:-inf", Prompt("x", 1, -math.inf)),
        ("a:b:c:2", Prompt("a:b:c", 2)),
        ("Blade Runner: 2049", Prompt("Blade Runner: 2049")),
        ("note: a cat", Prompt("note: a cat")),
        ("12:30 pm:0.5", Prompt("12:30 pm", 0.5)),
        ("http://x/y.png", Prompt("http://x/y.png")),
        ('"at 12:30":2', Prompt("at 12:30", 2)),
        ('"one | two ^ three"', Prompt("one | two ^ three")),
        ('a "big" cat', Prompt('a "big" cat')),
        ('"big" and "small"', Prompt('"big" and "small"')),
    ],
)
def test_an_item_is_a_text_with_numbers_that_touch_their_colons(source: str, expected: Prompt) -> None:
    assert parse(source) == ((expected,),)


def test_phrases_follow_each_other_and_their_items_act_together() -> None:
    assert parse("a field:0.2^a pile of leaves|painting | red:-1") == (
        (Prompt("a field", 0.2),),
        (Prompt("a pile of leaves"), Prompt("painting"), Prompt("red", -1)),
    )


@pytest.mark.parametrize(
    ("source", "position", "words"),
    [
        ("sea ^ a cat:", 12, "must follow the colon"),
        (":0.5", 1, "no text before the weight"),
        ("a | :0.5", 5, "no text before the weight"),
        ('"":0.5', 1, "no text before the weight"),
        ("x:nan", 2, "within ±100"),
        ("x:inf", 2, "within ±100"),
        ("sea | Blade Runner:2049", 19, "double quotes"),
        ("x:1:nan", 2, "stop nan"),
        ('a | 12" record', 7, "unterminated double quote"),
    ],
)
def test_a_fault_is_pointed_out_by_its_character(source: str, position: int, words: str) -> None:
    with pytest.raises(PromptSyntaxError, match=words.replace("|", r"\|")) as caught:
        parse(source)
    assert caught.value.position == position
    assert f"(character {position})" in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_either_read_or_refused_with_a_position_within_it(source: str) -> None:
    try:
        phrases = parse(source)
    except PromptSyntaxError as fault:
        assert 1 <= fault.position <= len(source) + 1
    else:
        assert all(prompt.body and math.isfinite(prompt.weight) for phrase in phrases for prompt in phrase)


@pytest.mark.parametrize(
    ("source", "position"), [("x", 1), ("1 ^ -7", 5), ("1:0.5 | 2.5", 9), ('"a":2', 2), ("9223372036854775808", 1)]
)
def test_a_noise_that_is_no_seed_is_pointed_out(source: str, position: int) -> None:
    with pytest.raises(PromptSyntaxError, match="whole number from 0") as caught:
        parse(source, kind="noise")
    assert caught.value.position == position


def test_pictures_and_noises_are_written_in_the_same_language() -> None:
    assert parse("a.png:0.5 | b c.png ^ seeds/d.png:-1", kind="image") == (
        (Prompt("a.png", 0.5, kind="image"), Prompt("b c.png", kind="image")),
        (Prompt("seeds/d.png", -1, kind="image"),),
    )
    assert parse("123:0.1|234:0.2^700", kind="noise") == (
        (Prompt("123", 0.1, kind="noise"), Prompt("234", 0.2, kind="noise")),
        (Prompt("700", kind="noise"),),
    )


plain = st.text(st.characters(categories=["L"], include_characters=" "), min_size=1).filter(str.strip)


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(plain, st.integers(-100, 100)), min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_is_written_in_the_language_is_read_back(story: list[list[tuple[str, int]]]) -> None:
    source = " ^ ".join("|".join(f"{text.strip()}:{weight}" for text, weight in phrase) for phrase in story)
    expected = tuple(tuple(Prompt(text.strip(), weight) for text, weight in phrase) for phrase in story)
    assert parse(source) == expected


def shown(*, frames: int, phrases: int, changes: list[int] | None) -> list[int]:
    return [phrase_at_frame(k, frames=frames, phrases=phrases, changes=changes) for k in range(1, frames + 1)]


def test_phrases_share_the_frames_evenly_when_nothing_else_is_said() -> None:
    assert shown(frames=6, phrases=2, changes=None) == [0, 0, 0, 1, 1, 1]
    assert shown(frames=5, phrases=2, changes=None) == [0, 0, 0, 1, 1]
    assert shown(frames=3, phrases=3, changes=None) == [0, 1, 2]
    assert shown(frames=2, phrases=1, changes=None) == [0, 0]


def test_a_changing_frame_is_the_first_with_the_new_phrase() -> None:
    assert shown(frames=5, phrases=2, changes=[3]) == [0, 0, 1, 1, 1]


def test_the_order_of_changes_and_doubles_do_not_matter_and_the_last_phrase_stays() -> None:
    assert shown(frames=6, phrases=3, changes=[4, 2, 4]) == [0, 1, 1, 2, 2, 2]
    assert shown(frames=5, phrases=2, changes=[2, 3, 4]) == [0, 1, 1, 1, 1]
    assert shown(frames=3, phrases=3, changes=[]) == [0, 0, 0]

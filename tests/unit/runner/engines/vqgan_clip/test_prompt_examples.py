"""Every example of the specification (vqgan-clip §3.2), as we read it and as `compat: upstream` does."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from videojob_runner.engines.vqgan_clip.prompts import upstream_grammar
from videojob_runner.engines.vqgan_clip.prompts.grammar import Phrase, Prompt, PromptSyntaxError, parse

Item = tuple[str, float, float]
NEVER = -math.inf
DRIVE = r"C:\img\x.png"

EXAMPLES: dict[str, tuple[Item | int, Item | int]] = {
    "a cat": (("a cat", 1, NEVER), ("a cat", 1, NEVER)),
    "a cat:0.5": (("a cat", 0.5, NEVER), ("a cat", 0.5, NEVER)),
    "a cat:0.5:0.1": (("a cat", 0.5, 0.1), ("a cat", 0.5, 0.1)),
    "x:-1": (("x", -1, NEVER), ("x", -1, NEVER)),
    "a:0.5": (("a", 0.5, NEVER), ("a", 0.5, NEVER)),
    f"{DRIVE}:0.5": ((DRIVE, 0.5, NEVER), 3),
    "http://x/y.png": (("http://x/y.png", 1, NEVER), 6),
    "a cat:": (6, 7),
    "note: a cat": (("note: a cat", 1, NEVER), 6),
    "12:30 pm:0.5": (("12:30 pm", 0.5, NEVER), 4),
    "Blade Runner: 2049": (("Blade Runner: 2049", 1, NEVER), ("Blade Runner", 2049, NEVER)),
    "x:nan": (2, 3),
    "a:b:c:2": (("a:b:c", 2, NEVER), 5),
}
"""Our reading and the original's on POSIX; a number is the character (from 1) at which the item is refused."""

Bodies = list[list[str]]

STORIES: dict[str, tuple[Bodies, Bodies]] = {
    "a field:0.2^a pile of leaves|painting|red": (
        [["a field"], ["a pile of leaves", "painting", "red"]],
        [["a field"], ["a pile of leaves", "painting", "red"]],
    ),
    "a | b^ c": ([["a", "b"], ["c"]], [["a ", " b"], ["c"]]),
    "a^": ([["a"], []], [["a"], []]),
    "a|": ([["a"]], [["a"]]),
    "a||b": ([["a", "b"]], [["a", "b"]]),
    "  ": ([[]], [[]]),
}
"""Bodies only. Where the original makes a prompt of nothing, both of our readings drop it (Q-28)."""


def check(parse_it: Callable[[str], tuple[Phrase, ...]], source: str, expected: Item | int) -> None:
    if isinstance(expected, int):
        with pytest.raises(PromptSyntaxError) as caught:
            parse_it(source)
        assert caught.value.position == expected, str(caught.value)
    else:
        assert parse_it(source) == ((Prompt(*expected),),)


@pytest.mark.parametrize("source", EXAMPLES)
def test_an_item_of_the_table_as_we_read_it(source: str) -> None:
    check(parse, source, EXAMPLES[source][0])


@pytest.mark.parametrize("source", EXAMPLES)
def test_an_item_of_the_table_as_the_original_reads_it(source: str) -> None:
    check(upstream_grammar.parse, source, EXAMPLES[source][1])


@pytest.mark.parametrize("source", STORIES)
def test_a_story_of_the_table_in_both_readings(source: str) -> None:
    readings = [
        [[prompt.body for prompt in phrase] for phrase in read(source)] for read in (parse, upstream_grammar.parse)
    ]
    assert readings == [*STORIES[source]]


def test_the_original_knows_no_quotes() -> None:
    assert [len(phrase) for phrase in upstream_grammar.parse('"one | two ^ three"')] == [2, 1]
    assert [len(phrase) for phrase in parse('"one | two ^ three"')] == [1]


def test_the_original_s_numbers_may_have_spaces_but_must_be_finite() -> None:
    assert upstream_grammar.parse("a: 2 :-inf")[0][0] == Prompt("a", 2, NEVER)
    for source in ("a:inf", "a:1:nan", "a:-inf:0"):
        with pytest.raises(PromptSyntaxError, match="is not a number"):
            upstream_grammar.parse(source)


def test_the_original_s_seeds_may_have_spaces_and_its_paths_keep_them() -> None:
    assert upstream_grammar.parse("1 | 2:0.5", kind="noise")[0][1] == Prompt("2", 0.5, kind="noise")
    assert upstream_grammar.parse("a.png | b.png", kind="image")[0][1] == Prompt(" b.png", kind="image")

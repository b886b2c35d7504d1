"""Names that others chose (VJ-72)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from videojob_agent.errors import UnsafePath
from videojob_agent.files.safe_names import check_name, printable


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "..",
        "a/../b",
        "./a",
        "a//b",
        "a/",
        "nul\0byte",
        "line\nbreak",
        "bell\x07",
        "c1\x85control",
        "turn\u202earound",
        "isolate\u2066d",
        "mark\u200fed",
        "no\udcffutf8",
        "x" * 256,
        "é" * 128,
        "/".join(["x" * 200] * 6),
    ],
)
def test_an_unsafe_name_is_refused(name: str) -> None:
    with pytest.raises(UnsafePath):
        check_name(name)


@pytest.mark.parametrize(
    "name", ["a", "a/b/c.png", "..a", "...", "with space", "x" * 255, "naïve", "می‌خواهم.png", "👩‍🎨.png", "-rf"]
)
def test_a_plain_name_is_safe_in_any_script(name: str) -> None:
    assert check_name(name) == name


@given(st.text(max_size=40))
def test_a_safe_name_stays_below_any_root(name: str) -> None:
    try:
        check_name(name)
    except UnsafePath:
        return
    parts = name.split("/")
    assert ".." not in parts
    assert not name.startswith("/")
    assert "\0" not in name


def test_a_refusal_says_the_name_without_what_was_hidden_in_it() -> None:
    with pytest.raises(UnsafePath, match=r"'gnp\.exe' contains a control or bidirectional character"):
        check_name("\u202egnp.exe")


def test_printable_text_loses_only_what_cannot_be_seen() -> None:
    assert printable("a\x1b[31mb\u2028c\td é 👩‍🎨") == "a[31mbcd é 👩‍🎨"

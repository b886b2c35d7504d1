"""STATUS: the grammar of the original container (specification vqgan-clip §1.6), read from the right."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from videojob_api.contract.status import (
    MAX_LINE_BYTES,
    InvalidStatusLine,
    RunnerState,
    StatusDetails,
    StatusLine,
    parse_status_line,
    read_details,
)

STARTING, RUNNING, DONE, FAILED = RunnerState

GRAMMAR = [
    ("STARTING 42", StatusLine(STARTING, "42")),
    ("STARTING a b", StatusLine(STARTING, "a b")),
    ("IN_PROGRESS a b 0% unknown", StatusLine(RUNNING, "a b", 0, None)),
    ("IN_PROGRESS a b 33% 7s", StatusLine(RUNNING, "a b", 33, 7)),
    ("IN_PROGRESS a 100% -2s", StatusLine(RUNNING, "a", 100, 0)),
    ("IN_PROGRESS a 101% 1s", StatusLine(RUNNING, "a", 100, 1)),
    ("IN_PROGRESS 5% 1s 6% 2s", StatusLine(RUNNING, "5% 1s", 6, 2)),
    ("COMPLETED a b a_b.mp4", StatusLine(DONE, "a b", video="a_b.mp4")),
    ("COMPLETED x.mp4 y.mp4", StatusLine(DONE, "x.mp4", video="y.mp4")),
    ("FAILED a b", StatusLine(FAILED, "a b")),
    ("FAILED 日本 ☀", StatusLine(FAILED, "日本 ☀")),
    ("STARTING a\n", StatusLine(STARTING, "a")),
    ("STARTING a\r\n", StatusLine(STARTING, "a")),
    (b"STARTING \xc3\xa9", StatusLine(STARTING, "é")),
]

OUTSIDE = [
    "",
    "\n",
    "STARTING",
    "STARTING ",
    "STARTING  ",
    "starting a",
    "# STARTING a",
    "RUNNING a",
    "IN_PROGRESS a",
    "IN_PROGRESS a 5%",
    "IN_PROGRESS a 5% 3",
    "IN_PROGRESS a 5 3s",
    "IN_PROGRESS a 1000% 3s",
    "IN_PROGRESS a ٣% 3s",
    "IN_PROGRESS 5% 3s",
    "COMPLETED a",
    "COMPLETED a.mp4",
    "COMPLETED a b.avi",
    "COMPLETED a ../b.mp4",
    "COMPLETED a c\\b.mp4",
    "STARTING a\nSTARTING b",
    "STARTING a\x00",
    "STARTING " + "a" * MAX_LINE_BYTES,
    b"STARTING \xff",
]


@pytest.mark.parametrize(("text", "line"), GRAMMAR)
def test_a_line_of_the_grammar_is_read(text: str | bytes, line: StatusLine) -> None:
    assert parse_status_line(text) == line


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_line_outside_the_grammar_is_refused_and_shown(text: str | bytes) -> None:
    with pytest.raises(InvalidStatusLine, match="STATUS must be"):
        parse_status_line(text)


def test_the_sequence_of_a_test_run_is_written_and_read_as_published() -> None:
    """Golden vector of §11.7: uid `a b`, three frames."""
    lines = [
        StatusLine(STARTING, "a b"),
        StatusLine(RUNNING, "a b", 0, None),
        StatusLine(RUNNING, "a b", 33, 2),
        StatusLine(RUNNING, "a b", 66, 0),
        StatusLine(DONE, "a b", video="a_b.mp4"),
        StatusLine(FAILED, "a b"),
    ]
    written = [
        "STARTING a b",
        "IN_PROGRESS a b 0% unknown",
        "IN_PROGRESS a b 33% 2s",
        "IN_PROGRESS a b 66% 0s",
        "COMPLETED a b a_b.mp4",
        "FAILED a b",
    ]
    assert [str(line) for line in lines] == written
    assert [parse_status_line(text) for text in written] == lines


NAMES = st.from_regex(r"[\w.-]{1,40}\.mp4", fullmatch=True)
UIDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60).filter(str.strip)
LINES = st.one_of(
    st.builds(StatusLine, st.sampled_from([STARTING, FAILED]), UIDS),
    st.builds(StatusLine, st.just(RUNNING), UIDS, st.integers(0, 100), st.none() | st.integers(0, 10**12 - 1)),
    st.builds(lambda uid, video: StatusLine(DONE, uid, video=video), UIDS, NAMES),
)


@given(LINES)
def test_what_is_written_can_be_read(line: StatusLine) -> None:
    assert parse_status_line(str(line)) == line
    assert parse_status_line(f"{line}\n".encode()) == line


@given(st.text() | st.binary() | LINES.map(lambda line: str(line)[:-1]))
@example("IN_PROGRESS " + "5% " * 1300)
def test_garbage_raises_nothing_else(text: str | bytes) -> None:
    with suppress(InvalidStatusLine):
        parse_status_line(text)


LINE = StatusLine(RUNNING, "a", 5, 3)
DETAILS = StatusDetails(line=str(LINE), uid="a", state=RUNNING, frames_done=5, frames_total=100, metrics={"loss": 0.5})


def test_details_of_the_same_run_and_state_are_read() -> None:
    assert read_details(DETAILS.model_dump_json(by_alias=True, exclude_none=True), line=LINE) == DETAILS


@pytest.mark.parametrize("line", [StatusLine(RUNNING, "b", 5, 3), StatusLine(FAILED, "a")])
def test_details_of_another_run_or_state_are_ignored(line: StatusLine) -> None:
    assert read_details(DETAILS.model_dump_json(by_alias=True), line=line) is None


def test_fields_that_a_newer_runner_adds_are_ignored() -> None:
    text = '{"line": "FAILED a", "uid": "a", "state": "FAILED", "mood": {"sad": true}}'
    assert read_details(text, line=StatusLine(FAILED, "a")) == StatusDetails(line="FAILED a", uid="a", state=FAILED)


@given(st.text() | st.binary())
@example("[" * 100_000)
@example("\ud800")
@example('{"line": 1e999, "uid": null}')
def test_garbage_beside_status_is_ignored(text: str | bytes) -> None:
    assert read_details(text, line=LINE) is None

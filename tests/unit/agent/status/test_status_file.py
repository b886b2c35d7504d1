"""STATUS as hostile input (VJ-2): nothing a runner writes there can hurt, hang or mislead the agent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_agent.status.status_file import RunnerStatus, StatusReader
from videojob_api.contract.status import RunnerState

from tests.unit.agent.fakes import details_of

GOOD = "IN_PROGRESS uid-1 40% 7s"


@pytest.fixture
def io(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def reader(io: Path) -> Iterator[StatusReader]:
    with SafeDirectory.open(io) as folder:
        yield StatusReader(folder)


def seen(reader: StatusReader) -> RunnerStatus:
    sight = reader.read()
    assert sight is not None
    return sight


def test_nothing_is_seen_before_there_is_a_status(reader: StatusReader) -> None:
    assert reader.read() is None


def test_a_good_line_is_read(io: Path, reader: StatusReader) -> None:
    (io / "STATUS").write_text(GOOD)
    line = seen(reader).line
    assert (line.state, line.uid, line.percent, line.eta_seconds) == (RunnerState.IN_PROGRESS, "uid-1", 40, 7)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"IN_PROGR",
        b"IN_PROGRESS uid-1 4",
        b"DANCING uid-1",
        b"COMPLETED uid-1 ../../etc/passwd.mp4",
        b"COMPLETED uid-1",
        b"\xff\xfe\x00",
        b"IN_PROGRESS uid-1 40% 7s\nIN_PROGRESS uid-1 41% 6s",
        b"STARTING " + b"x" * 1_000_000,
        b"A" * 4097,
    ],
    ids=lambda content: content[:24].decode(errors="replace"),
)
def test_a_torn_or_wild_status_keeps_the_last_good_value(io: Path, reader: StatusReader, content: bytes) -> None:
    (io / "STATUS").write_text(GOOD)
    before = seen(reader)
    (io / "STATUS").write_bytes(content)
    assert reader.read() == before


def test_a_status_that_vanishes_keeps_the_last_good_value(io: Path, reader: StatusReader) -> None:
    (io / "STATUS").write_text(GOOD)
    before = seen(reader)
    (io / "STATUS").unlink()
    assert reader.read() == before


def test_a_linked_status_is_not_followed(io: Path, reader: StatusReader, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(GOOD)
    (io / "STATUS").symlink_to(tmp_path / "elsewhere")
    assert reader.read() is None


def test_a_fifo_in_the_place_of_status_does_not_block(io: Path, reader: StatusReader) -> None:
    os.mkfifo(io / "STATUS")
    os.mkfifo(io / "STATUS.json")
    assert reader.read() is None


def test_a_folder_in_the_place_of_status_is_not_read(io: Path, reader: StatusReader) -> None:
    (io / "STATUS").mkdir()
    assert reader.read() is None


def test_percent_is_clamped_and_a_negative_time_is_zero(io: Path, reader: StatusReader) -> None:
    (io / "STATUS").write_text("IN_PROGRESS uid-1 999% -2s")
    line = seen(reader).line
    assert (line.percent, line.eta_seconds) == (100, 0)


def test_control_characters_are_dropped(io: Path, reader: StatusReader) -> None:
    (io / "STATUS").write_text("IN_PROGRESS \x1b]0;u\x07id-1\u202e 40% 7s\n")
    assert seen(reader).line.uid == "]0;uid-1"


def test_details_count_when_they_agree(io: Path, reader: StatusReader) -> None:
    (io / "STATUS").write_text(GOOD)
    (io / "STATUS.json").write_text(details_of(GOOD, framesDone=3, framesTotal=9, message="loss 0.3"))
    details = seen(reader).details
    assert details is not None
    assert (details.frames_done, details.frames_total, details.message) == (3, 9, "loss 0.3")


@pytest.mark.parametrize("line", ["IN_PROGRESS another 40% 7s", "FAILED uid-1"])
def test_details_of_another_job_or_moment_are_ignored(io: Path, reader: StatusReader, line: str) -> None:
    (io / "STATUS").write_text(GOOD)
    (io / "STATUS.json").write_text(details_of(line, framesDone=3))
    assert seen(reader).details is None


def test_a_long_message_is_cut_and_the_rest_still_counts(io: Path, reader: StatusReader) -> None:
    failure = {"reason": "BadConfig", "message": "\x1b" + "y" * 5000}
    (io / "STATUS").write_text("FAILED uid-1")
    (io / "STATUS.json").write_text(details_of("FAILED uid-1", message="x" * 1000, failure=failure, framesDone=3))
    details = seen(reader).details
    assert details is not None
    assert details.failure is not None
    assert (details.message, details.failure.message) == ("x" * 256, "y" * 1024)
    assert details.frames_done == 3


@pytest.mark.parametrize(
    "content", ["[]", "null", '"x"', "{", "[" * 20_000, "9" * 5000, "{}", '{"line": 1}', "x" * 40_000]
)
def test_wild_details_leave_the_line_alone(io: Path, reader: StatusReader, content: str) -> None:
    (io / "STATUS").write_text(GOOD)
    (io / "STATUS.json").write_text(content)
    assert seen(reader).details is None


def test_broken_text_in_details_can_still_be_written_out(io: Path, reader: StatusReader) -> None:
    (io / "STATUS").write_text(GOOD)
    (io / "STATUS.json").write_text(details_of(GOOD, message="a\ud800b", versions={"to\ud800ol": "1\udfff"}))
    details = seen(reader).details
    assert details is not None
    assert (details.message, details.versions) == ("ab", {"tool": "1"})


@given(status=st.binary(max_size=200), details=st.binary(max_size=200))
def test_no_bytes_at_all_raise(tmp_path_factory: pytest.TempPathFactory, status: bytes, details: bytes) -> None:
    io = tmp_path_factory.mktemp("io")
    (io / "STATUS").write_bytes(status)
    (io / "STATUS.json").write_bytes(details)
    with SafeDirectory.open(io) as folder:
        StatusReader(folder).read()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("line", "uid", "state", "phase", "framesDone", "etaSeconds", "message", "metrics", "versions", "failure")


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_json_at_all_raises(tmp_path_factory: pytest.TempPathFactory, body: dict[str, Any]) -> None:
    io = tmp_path_factory.mktemp("io")
    (io / "STATUS").write_text(GOOD)
    (io / "STATUS.json").write_text(json.dumps(body))
    with SafeDirectory.open(io) as folder:
        assert StatusReader(folder).read() is not None

"""Why fetch waits, on its way to the agent."""

from __future__ import annotations

from pathlib import Path

import pytest
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_agent.inputs.fetch_note import FetchNote
from videojob_agent.status.status_file import StatusReader

from tests.unit.agent.fakes import string_log


def note_in(io: Path) -> str:
    with SafeDirectory.open(io) as folder:
        return StatusReader(folder).fetch_note()


def test_the_agent_reads_what_fetch_says(tmp_path: Path) -> None:
    note = FetchNote(str(tmp_path), log=string_log()[0])
    for words in ("waits for the bucket", "waits"):
        note.write(words)
        assert note_in(tmp_path) == words
    note.write("")
    assert note_in(tmp_path) == ""


def test_the_first_words_may_come_before_the_folder(tmp_path: Path) -> None:
    FetchNote(str(tmp_path / "io"), log=string_log()[0]).write("waits")
    assert note_in(tmp_path / "io") == "waits"


def test_a_note_is_bounded_and_clean(tmp_path: Path) -> None:
    FetchNote(str(tmp_path), log=string_log()[0]).write("a\nb\x1b[31m" + "c" * 999)
    assert note_in(tmp_path) == "ab[31m" + "c" * 250
    (tmp_path / ".videojob/fetch").write_text("c" * 5000)
    assert note_in(tmp_path) == ""


@pytest.mark.parametrize("trap", ["link", "folder"])
def test_what_is_no_note_is_none(tmp_path: Path, trap: str) -> None:
    (tmp_path / ".videojob").mkdir()
    if trap == "link":
        (tmp_path / ".videojob/fetch").symlink_to("/etc/passwd")
    else:
        (tmp_path / ".videojob/fetch").mkdir()
    assert note_in(tmp_path) == ""


def test_a_note_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / ".videojob").symlink_to("/etc")
    events, log = string_log()
    FetchNote(str(tmp_path), log=events).write("waits")
    assert "note not written" in log.getvalue()

"""Termination messages: whole at every moment, and never longer than 2048 bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from videojob_agent.report.termination_message import MAX_BYTES, TerminationMessage, fit
from videojob_api.messages.report import Failure, FetchResult, ProgressState, Published, Report

from tests.support.clock import NOON


def report(**changes: object) -> Report:
    basics = {"uid": "uid-1", "sequence": 1, "state": ProgressState.RUNNING, "observed_time": NOON}
    return Report.model_validate(basics | changes)


def test_the_message_is_a_report(tmp_path: Path) -> None:
    TerminationMessage(tmp_path / "log").write(report(percent=40))
    assert Report.model_validate_json((tmp_path / "log").read_bytes()) == report(percent=40)


def test_a_shorter_message_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    words = TerminationMessage(tmp_path / "log")
    words.write(report(message="x" * 200))
    words.write(report(message="y"))
    assert json.loads((tmp_path / "log").read_text())["message"] == "y"


def test_a_message_is_written_in_place_because_the_file_is_a_mount(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    before = (tmp_path / "log").stat().st_ino
    TerminationMessage(tmp_path / "log").write(report())
    assert (tmp_path / "log").stat().st_ino == before


def test_the_file_never_gets_shorter_so_that_no_moment_shows_half_a_message(tmp_path: Path) -> None:
    words = TerminationMessage(tmp_path / "log")
    words.write(report(message="x" * 200))
    size = (tmp_path / "log").stat().st_size
    words.write(report())
    assert (tmp_path / "log").stat().st_size == size


def test_the_same_words_are_not_written_twice(tmp_path: Path) -> None:
    words = TerminationMessage(tmp_path / "log")
    words.write(report())
    (tmp_path / "log").write_text("untouched")
    words.write(report())
    assert (tmp_path / "log").read_text() == "untouched"


@pytest.mark.parametrize("letter", ["x", "é", "界", "\U0001f3a8"])
def test_the_longest_report_fits_and_keeps_what_decides(letter: str) -> None:
    published = Published(
        frames=9,
        bytes=9,
        manifest_digest="sha256:" + "a" * 64,
        url=letter * 1024,
        videos=[letter * 255] * 8,
    )
    failure = Failure(reason="EndpointUnreachable", message=letter * 1024)
    text = fit(report(message=letter * 256, published=published, failure=failure, state=ProgressState.FAILED))
    kept = Report.model_validate_json(text)
    assert len(text.encode()) <= MAX_BYTES
    assert kept.published is not None
    assert kept.failure is not None
    assert kept.published.manifest_digest == published.manifest_digest
    assert kept.failure.reason == failure.reason
    assert kept.failure.message.startswith(letter * 100)


@pytest.mark.parametrize("letter", ["x", "\U0001f3a8"])
def test_the_longest_fetch_result_fits(letter: str) -> None:
    text = fit(FetchResult(failure=Failure(reason="DigestMismatch", message=letter * 1024), files=1, bytes=2))
    assert len(text.encode()) <= MAX_BYTES
    assert FetchResult.model_validate_json(text).files == 1


def test_a_report_that_fits_is_not_cut() -> None:
    failure = Failure(reason="CredentialsRefused", message="x" * 1024)
    assert Report.model_validate_json(fit(report(failure=failure))).failure == failure

"""Staying until the agent has published."""

from pathlib import Path

import pytest
from videojob_api.messages.report import Acknowledgement, Failure
from videojob_runner.contract.acknowledgement import read_acknowledgement, wait_until_published
from videojob_runner.errors import NotPublished


def acknowledge(root: Path, *, uid: str = "u", published: bool = True, message: str | None = None) -> None:
    word = Acknowledgement(
        uid=uid, published=published, failure=Failure(reason="StoreGone", message=message) if message else None
    )
    (root / ".videojob").mkdir(exist_ok=True)
    (root / ".videojob" / "published.json").write_text(word.model_dump_json(by_alias=True))


def no_sleep(seconds: float) -> None:
    raise AssertionError("there is nothing to wait for")


def test_a_word_that_is_there_ends_the_waiting_at_once(tmp_path: Path) -> None:
    acknowledge(tmp_path)
    wait_until_published(tmp_path, "u", sleep=no_sleep)


def test_it_waits_without_end_until_the_word_comes(tmp_path: Path) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 5000:
            acknowledge(tmp_path)

    wait_until_published(tmp_path, "u", sleep=sleep)
    assert len(waits) == 5000
    assert 0 < max(waits) <= 1


def test_an_agent_that_gave_up_says_why(tmp_path: Path) -> None:
    acknowledge(tmp_path, published=False, message="bucket: access denied")
    with pytest.raises(NotPublished, match="bucket: access denied") as caught:
        wait_until_published(tmp_path, "u", sleep=no_sleep)
    assert caught.value.exit_code == 74


def test_an_agent_that_gave_up_without_a_reason_is_believed_too(tmp_path: Path) -> None:
    acknowledge(tmp_path, published=False)
    with pytest.raises(NotPublished, match="no reason"):
        wait_until_published(tmp_path, "u", sleep=no_sleep)


def test_a_word_on_another_job_or_half_a_word_is_no_word(tmp_path: Path) -> None:
    acknowledge(tmp_path, uid="other")
    assert read_acknowledgement(tmp_path, "u") is None
    (tmp_path / ".videojob" / "published.json").write_text('{"uid": "u", "publi')
    assert read_acknowledgement(tmp_path, "u") is None

"""Conditions: kept, cut, cleaned, and found by type."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from videojob_api.resource.status import CONDITION_TYPES, Condition, VideoJobStatus
from videojob_operator.domain.conditions import (
    ConditionValue,
    is_finished,
    merge_conditions,
    status_since,
)
from videojob_operator.domain.text import sanitize, to_reason

from tests.unit.operator.builders import NOW, condition, seconds_ago

LATER = NOW + timedelta(seconds=7)


def test_all_types_are_there_from_the_first_sight() -> None:
    found = merge_conditions((), {}, generation=1, now=NOW)
    assert [(item.type, item.status, item.reason) for item in found] == [
        (kind, "Unknown", "Pending") for kind in CONDITION_TYPES
    ]


def test_the_time_changes_with_the_status_only() -> None:
    first = merge_conditions((), {"Running": ConditionValue("False", "NoPod")}, generation=1, now=NOW)
    second = merge_conditions(
        first, {"Running": ConditionValue("False", "Unschedulable", "no room")}, generation=1, now=LATER
    )
    third = merge_conditions(second, {"Running": ConditionValue("True", "RunnerStarted")}, generation=1, now=LATER)
    times = [
        next(item.last_transition_time for item in found if item.type == "Running") for found in (first, second, third)
    ]
    assert times == [NOW, NOW, LATER]


def test_what_was_not_found_out_anew_stands_for_the_new_generation() -> None:
    first = merge_conditions((), {"Accepted": ConditionValue("True", "Valid", "fine")}, generation=1, now=NOW)
    second = merge_conditions(first, {}, generation=2, now=LATER)
    accepted = next(item for item in second if item.type == "Accepted")
    assert (accepted.status, accepted.message, accepted.observed_generation) == ("True", "fine", 2)
    assert accepted.last_transition_time == NOW


def test_types_that_are_not_ours_are_dropped() -> None:
    stray = Condition(type="Ready", status="True", reason="Old", last_transition_time=NOW)
    assert "Ready" not in {item.type for item in merge_conditions([stray], {}, generation=1, now=NOW)}


@pytest.mark.parametrize(
    ("text", "limit", "line"),
    [
        ("plain", 10, "plain"),
        ("two\nlines\t\x1b[0m", 20, "two lines [0m"),
        ("exactly-10", 10, "exactly-10"),
        ("more than 10", 10, "more than…"),
        ("right\u202eleft", 20, "right left"),
    ],
)
def test_text_from_anybodys_container_becomes_one_bounded_line(text: str, limit: int, line: str) -> None:
    assert sanitize(text, limit) == line


@given(st.text(), st.integers(1, 40))
def test_a_cleaned_text_is_never_longer_than_its_limit(text: str, limit: int) -> None:
    assert len(sanitize(text, limit)) <= limit


@given(st.text())
def test_a_reason_is_always_one_the_api_takes(text: str) -> None:
    found = to_reason(text, otherwise="Other")
    assert found.isalnum()
    assert found[0].isalpha()
    assert len(found) <= 64


def test_since_asks_for_one_status() -> None:
    status = VideoJobStatus(conditions=[condition("Running", "True", seconds_ago(5))])
    assert status_since(status, "Running", "True") == seconds_ago(5)
    assert status_since(status, "Running", "False") is None
    assert status_since(status, "Stalled", "True") is None


@pytest.mark.parametrize(("value", "over"), [("True", True), ("False", True), ("Unknown", False)])
def test_a_verdict_is_succeeded_true_or_false(value: str, over: bool) -> None:
    assert is_finished(VideoJobStatus(conditions=[condition("Succeeded", value, NOW)])) is over  # type: ignore[arg-type]
    assert is_finished(VideoJobStatus()) is False

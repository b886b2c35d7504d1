"""
Conditions of a VideoJob, as Kubernetes defines them.

A `ConditionValue` is a condition without history; `merge_conditions` merges such values into the conditions of a
status. All types are present from the first write on, Unknown if nothing is known, and lastTransitionTime changes only
with the status.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from videojob_api.resource.status import CONDITION_TYPES, Condition, VideoJobStatus

from videojob_operator.domain.text import sanitize

MAX_MESSAGE_CHARS = 1024
EPOCH = datetime.fromtimestamp(0, UTC)
"""Placeholder for an unknown time: of the CRD's default conditions, and of objects without a timestamp."""


@dataclass(frozen=True, slots=True)
class ConditionValue:
    """A condition without history: status, CamelCase reason, message."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


PENDING = ConditionValue("Unknown", "Pending")


def merge_conditions(
    before: Iterable[Condition], facts: Mapping[str, ConditionValue], *, generation: int, now: datetime
) -> list[Condition]:
    """All condition types in their order: the new values, else the previous ones, else Unknown."""
    old = {condition.type: condition for condition in before}
    return [
        _merged(kind, facts.get(kind), old=old.get(kind), generation=generation, now=now) for kind in CONDITION_TYPES
    ]


def _merged(
    kind: str, fact: ConditionValue | None, *, old: Condition | None, generation: int, now: datetime
) -> Condition:
    if fact is None:
        fact = ConditionValue(old.status, old.reason, old.message) if old else PENDING
    same = old is not None and old.status == fact.status and old.last_transition_time != EPOCH
    return Condition(
        type=kind,
        status=fact.status,
        reason=fact.reason[:128],
        message=sanitize(fact.message, MAX_MESSAGE_CHARS),
        observed_generation=generation,
        last_transition_time=old.last_transition_time if old and same else now.replace(microsecond=0),
    )


def find_condition(status: VideoJobStatus, kind: str) -> Condition | None:
    """The condition of that type; None if absent."""
    return next((item for item in status.conditions if item.type == kind), None)


def status_since(status: VideoJobStatus, kind: str, value: Literal["True", "False"]) -> datetime | None:
    """The time since when a condition has had this status; None if it has another."""
    found = find_condition(status, kind)
    return found.last_transition_time if found and found.status == value else None


def is_finished(status: VideoJobStatus) -> bool:
    """True if the VideoJob has a verdict, which is final."""
    found = find_condition(status, "Succeeded")
    return found is not None and found.status != "Unknown"

"""Validation errors by field, with paths in the API server's spelling: `spec.inputs[0].path`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

MAX_VALUE_CHARS = 80
"""Characters of a wrong value that are repeated in a message."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field to change, empty for the document as a whole, and what is wanted of it: "must be …"."""

    field: str
    expected: str
    value: Any = None

    def __str__(self) -> str:
        found = "" if self.value is None else f", not {truncate_repr(self.value)}"
        return f"{self.field}: {self.expected}{found}" if self.field else f"{self.expected}{found}"


class InvalidDocument(ValueError):
    """The document breaks its rules; `field_problems` lists every invalid field, at least one."""

    def __init__(self, *problems: FieldProblem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems

    @property
    def field(self) -> str:
        """The first field to change."""
        return self.problems[0].field


def field_problems(error: ValidationError) -> Iterator[FieldProblem]:
    """Every problem pydantic found, in the order of the document."""
    for details in error.errors(include_url=False, include_context=False):
        shown = None if details["type"] in ("missing", "too_long") else details["input"]
        yield FieldProblem(field_path(details["loc"]), expectation(details), shown)


def field_path(location: tuple[int | str, ...]) -> str:
    """`("inputs", 0, "path")` as `inputs[0].path`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location if part != "[key]")
    return text.removeprefix(".")


def expectation(details: Mapping[str, Any]) -> str:
    """Pydantic's message as what is wanted."""
    if details["type"] == "missing":
        return "is required"
    if details["type"] == "extra_forbidden":
        return "is no field here; see the reference for those that are"
    message = str(details["msg"])
    return message.replace("Input should", "should", 1) if message.startswith("Input should") else message


def truncate_repr(value: Any) -> str:
    """The value as Python writes it, cut after MAX_VALUE_CHARS characters."""
    text = repr(value)
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"

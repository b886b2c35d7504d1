"""What is wrong with a document, field by field, in the API server's spelling: `spec.inputs[0].path`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

LONGEST_VALUE = 80
"""Characters of a wrong value that are repeated in a message."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One field to change, empty for the document as a whole, and what is wanted of it: "must be …"."""

    field: str
    wanted: str
    value: Any = None

    def __str__(self) -> str:
        found = "" if self.value is None else f", not {shortened(self.value)}"
        return f"{self.field}: {self.wanted}{found}" if self.field else f"{self.wanted}{found}"


class BadDocument(ValueError):
    """A document that breaks its rules; `problems` names every field that must change, at least one."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems

    @property
    def field(self) -> str:
        """The first field to change."""
        return self.problems[0].field


def problems(error: ValidationError) -> Iterator[Problem]:
    """Every problem pydantic found, in the order of the document."""
    for details in error.errors(include_url=False, include_context=False):
        shown = None if details["type"] in ("missing", "too_long") else details["input"]
        yield Problem(path(details["loc"]), phrase(details), shown)


def path(location: tuple[int | str, ...]) -> str:
    """`("inputs", 0, "path")` as `inputs[0].path`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location if part != "[key]")
    return text.removeprefix(".")


def phrase(details: Mapping[str, Any]) -> str:
    """Pydantic's message as what is wanted."""
    if details["type"] == "missing":
        return "is required"
    if details["type"] == "extra_forbidden":
        return "is no field here; see the reference for those that are"
    message = str(details["msg"])
    return message.replace("Input should", "should", 1) if message.startswith("Input should") else message


def shortened(value: Any) -> str:
    """The value as Python writes it, cut after LONGEST_VALUE characters."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"

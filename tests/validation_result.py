"""What the models say of a manifest, in the form in which the API server's answer is kept too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from videojob_api.resource.videojob import parse_videojob
from videojob_api.validation.problems import InvalidDocument


@dataclass(frozen=True)
class ValidationResult:
    """The fields to blame, none when the manifest is good, and everything that was said."""

    fields: frozenset[str]
    text: str = ""

    @property
    def good(self) -> bool:
        """Whether the manifest was taken."""
        return not self.fields


def validate_with_models(manifest: dict[str, Any]) -> ValidationResult:
    """The models' verdict, read with the strictness of `kubectl apply`."""
    try:
        parse_videojob(manifest)
    except InvalidDocument as error:
        return ValidationResult(frozenset(problem.field for problem in error.problems), str(error))
    return ValidationResult(frozenset())

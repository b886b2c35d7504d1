"""What the models say of a manifest, in the form in which the API server's answer is kept too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from videojob_api.problems import problems
from videojob_api.videojob import VideoJob


@dataclass(frozen=True)
class Verdict:
    """The fields to blame, none when the manifest is good, and everything that was said."""

    fields: frozenset[str]
    text: str = ""

    @property
    def good(self) -> bool:
        """Whether the manifest was taken."""
        return not self.fields


def of_models(manifest: dict[str, Any]) -> Verdict:
    """The models' verdict, read with the strictness of `kubectl apply`."""
    try:
        VideoJob.model_validate(manifest, by_alias=True, by_name=False)
    except ValidationError as error:
        found = list(problems(error))
        return Verdict(frozenset(problem.field for problem in found), "; ".join(map(str, found)))
    return Verdict(frozenset())

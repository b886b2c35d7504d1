"""STATUS, the contract's one line, and STATUS.json beside it (DESIGN §4; specification vqgan-clip §1.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, ValidationError

from videojob_api.base import LenientDocument
from videojob_api.contract.manifest import MAX_ARTIFACTS, ManifestArtifact
from videojob_api.messages.report import Failure

MAX_LINE_BYTES = 4096
"""Bytes of STATUS that anybody looks at (VJ-2)."""


class RunnerState(StrEnum):
    """The four words of the grammar."""

    STARTING = "STARTING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class InvalidStatusLine(ValueError):
    """The line does not match the STATUS grammar."""


@dataclass(frozen=True, slots=True)
class StatusLine:
    """One parsed line. `percent` 0…100, `eta_seconds` ≥ 0 and None for `unknown`, `video` the mp4's file name."""

    state: RunnerState
    uid: str
    percent: int | None = None
    eta_seconds: int | None = None
    video: str | None = None

    def __str__(self) -> str:
        if self.state is RunnerState.IN_PROGRESS:
            eta = "unknown" if self.eta_seconds is None else f"{self.eta_seconds}s"
            return f"{self.state} {self.uid} {self.percent}% {eta}"
        return (
            f"{self.state} {self.uid} {self.video}"
            if self.state is RunnerState.COMPLETED
            else f"{self.state} {self.uid}"
        )


# The uid may hold spaces, so the fixed fields are matched from the right (quirk Q-08).
_UID = r"(?P<uid>[^\x00-\x1f\x7f]+)"
_FORMS = {
    RunnerState.STARTING: re.compile(_UID),
    RunnerState.IN_PROGRESS: re.compile(_UID + r" (?P<percent>[0-9]{1,3})% (?P<eta>unknown|-?[0-9]{1,12}s)"),
    RunnerState.COMPLETED: re.compile(_UID + r" (?P<video>[^ /\\\x00-\x1f\x7f]+\.mp4)"),
    RunnerState.FAILED: re.compile(_UID),
}


def parse_status_line(text: str | bytes) -> StatusLine:
    """The line in `text`, its end or none; percent clamped to 100, a negative eta to 0. Raises InvalidStatusLine."""
    line = _decoded(text)
    word, _, rest = line.partition(" ")
    form = _FORMS[RunnerState(word)].fullmatch(rest) if word in RunnerState.__members__ else None
    if form is None or not form["uid"].strip():
        raise InvalidStatusLine(f"STATUS must be one line of the contract's grammar, not {line[:80]!r}")
    found = form.groupdict()
    eta = found.get("eta")
    return StatusLine(
        state=RunnerState(word),
        uid=found["uid"],
        percent=min(int(found["percent"]), 100) if "percent" in found else None,
        eta_seconds=None if eta in (None, "unknown") else max(0, int(eta[:-1])),
        video=found.get("video"),
    )


def _decoded(text: str | bytes) -> str:
    if len(text) > MAX_LINE_BYTES:
        raise InvalidStatusLine(f"STATUS must be at most {MAX_LINE_BYTES} bytes, not {len(text)}")
    try:
        line = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise InvalidStatusLine(f"STATUS must be UTF-8: {error}") from None
    return line.removesuffix("\n").removesuffix("\r")


class StatusDetails(LenientDocument):
    """STATUS.json: repeats the line and adds what it cannot say; ignored when uid or word differ from STATUS."""

    line: Annotated[str, Field(max_length=MAX_LINE_BYTES)]
    uid: str
    state: RunnerState
    phase: Annotated[str, Field(max_length=64)] = ""
    """starting; running, preparing, training, generating or evaluating; checkpointing, encoding, finished."""
    frames_done: Annotated[int, Field(ge=0)] | None = None
    frames_total: Annotated[int, Field(ge=0)] | None = None
    eta_seconds: Annotated[int, Field(ge=0)] | None = None
    message: Annotated[str, Field(max_length=256)] = ""
    metrics: dict[str, float] = {}
    versions: dict[str, str] = {}
    """Tools and settings of the run (torch, threads, device, seed, ffmpeg …); copied into the manifest."""
    artifacts: Annotated[list[ManifestArtifact], Field(max_length=MAX_ARTIFACTS)] = []
    """Folders below `output/artifacts/` that other jobs may use; copied into the manifest."""
    failure: Failure | None = None


def read_details(text: str | bytes, *, line: StatusLine) -> StatusDetails | None:
    """STATUS.json beside `line`; None when it cannot be read or speaks of another uid or state."""
    try:
        details = StatusDetails.model_validate_json(text)
    except ValidationError:
        return None
    return details if (details.uid, details.state) == (line.uid, line.state) else None

"""
Reads STATUS and STATUS.json as untrusted files (VJ-2).

Limits: 4 KiB and 32 KiB, no links, FIFOs or devices, UTF-8 with replacement, no control characters, a closed grammar. A
file that is missing, truncated, too long or invalid is ignored: the last valid value remains. STATUS.json is used only
while its uid and state agree with STATUS.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from videojob_api.contract.layout import FETCH_NOTE, STATUS, STATUS_JSON
from videojob_api.contract.manifest import MAX_ARTIFACTS, ManifestArtifact
from videojob_api.contract.status import (
    MAX_LINE_BYTES,
    InvalidStatusLine,
    RunnerState,
    StatusDetails,
    StatusLine,
    parse_status_line,
)

from videojob_agent.errors import UnsafePath
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_agent.files.safe_names import printable

MAX_DETAILS_BYTES = 32 * 1024
"""Maximum size of STATUS.json, in bytes."""
NOTE_LIMIT = 4 * 1024
"""Maximum size of fetch's note, in bytes."""
MAX_MESSAGE_CHARS = 256
MAX_FAILURE_CHARS = 1024

_FINAL = (RunnerState.COMPLETED, RunnerState.FAILED)


@dataclass(frozen=True, slots=True)
class RunnerStatus:
    """The runner's current status."""

    line: StatusLine
    details: StatusDetails | None = None

    @property
    def is_terminal(self) -> bool:
        """True if the status is final."""
        return self.line.state in _FINAL


class StatusReader:
    """Polls the two files of one IO folder and remembers the last valid values."""

    def __init__(self, io: SafeDirectory) -> None:
        self._io = io
        self._line: StatusLine | None = None
        self._details: StatusDetails | None = None

    def read(self) -> RunnerStatus | None:
        """The newest valid status; None before the first one."""
        # STATUS.json is replaced before STATUS, so reading it second finds one that is at least as new.
        self._line = _line(_bounded(self._io, STATUS, limit=MAX_LINE_BYTES)) or self._line
        self._details = _details(_bounded(self._io, STATUS_JSON, limit=MAX_DETAILS_BYTES)) or self._details
        if self._line is None:
            return None
        agrees = self._details and (self._details.uid, self._details.state) == (self._line.uid, self._line.state)
        return RunnerStatus(self._line, self._details if agrees else None)

    def fetch_note(self) -> str:
        """Why fetch waits, before there is a STATUS; empty if it does not."""
        return printable(_bounded(self._io, FETCH_NOTE, limit=NOTE_LIMIT) or "")[:MAX_MESSAGE_CHARS]


def _bounded(io: SafeDirectory, name: str, *, limit: int) -> str | None:
    """The text of a small regular file; None if it is missing or too long."""
    try:
        with io.open_file(name) as file:
            content = file.read(limit + 1)
    except (OSError, UnsafePath):
        return None
    return content.decode("utf-8", "replace") if len(content) <= limit else None


def _line(text: str | None) -> StatusLine | None:
    lines = (text or "").strip("\r\n").splitlines()
    try:
        return parse_status_line(printable(lines[0])) if len(lines) == 1 else None
    except InvalidStatusLine:
        return None


def _details(text: str | None) -> StatusDetails | None:
    try:
        raw = json.loads(text) if text else None
        return StatusDetails.model_validate(_cleaned(raw)) if isinstance(raw, dict) else None
    except (ValueError, ValidationError, RecursionError):
        return None


def _cleaned(raw: dict[str, Any]) -> dict[str, Any]:
    """Truncate free text instead of rejecting it: a long message must not hide a valid percent."""
    cleaned = raw | _cut(raw, "message", limit=MAX_MESSAGE_CHARS) | _cut(raw, "phase", limit=64)
    if isinstance(failure := raw.get("failure"), dict):
        cleaned["failure"] = failure | _cut(failure, "message", limit=MAX_FAILURE_CHARS)
    if isinstance(versions := raw.get("versions"), dict):
        cleaned["versions"] = {printable(str(tool)): printable(str(version)) for tool, version in versions.items()}
    if "artifacts" in raw:
        cleaned["artifacts"] = _artifacts(raw["artifacts"])
    return cleaned


def _artifacts(raw: Any) -> list[ManifestArtifact]:
    """Those that are well described, up to the limit."""
    found = []
    for entry in raw[:MAX_ARTIFACTS] if isinstance(raw, list) else ():
        with suppress(ValidationError):
            found.append(ManifestArtifact.model_validate(entry))
    return found


def _cut(raw: dict[str, Any], field: str, *, limit: int) -> dict[str, str]:
    text = raw.get(field)
    return {field: printable(text)[:limit]} if isinstance(text, str) else {}

"""
Validates untrusted names before they reach a file system or a bucket (VJ-72).

Names come from the spec, from volumes and from the runner. A safe name is relative, consists of plain components
separated by `/`, and can be printed to a terminal.
"""

from __future__ import annotations

import unicodedata

from videojob_agent.errors import UnsafePath

MAX_COMPONENT_BYTES = 255
"""Maximum bytes of one component, as on Linux; a whole name may have four times that (an S3 key's limit)."""

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories of controls, surrogates (invalid UTF-8), and line and paragraph separators."""

_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that change the text direction; joiners, which scripts and emoji need, are not among them."""


def check_name(name: str) -> str:
    """Return `name` if it is safe below any directory or prefix. Raises UnsafePath with the reason."""
    if problem := _problem(name):
        raise UnsafePath(f"the name {printable(name)!r} {problem}; rename it")
    return name


def printable(text: str) -> str:
    """`text` without control characters, bidirectional marks and broken encoding."""
    return "".join(character for character in text if not _is_hidden(character))


def _is_hidden(character: str) -> bool:
    return character in _BIDIRECTIONAL or unicodedata.category(character) in _HIDDEN_CATEGORIES


def _problem(name: str) -> str | None:
    if printable(name) != name:
        return "contains a control or bidirectional character"
    if name.startswith("/"):
        return "is absolute"
    parts = name.split("/")
    if not all(part not in ("", ".", "..") for part in parts):
        return "contains an empty component, `.` or `..`"
    if max(len(part.encode()) for part in parts) > MAX_COMPONENT_BYTES or len(name.encode()) > 4 * MAX_COMPONENT_BYTES:
        return f"is longer than {MAX_COMPONENT_BYTES} bytes in one component, or {4 * MAX_COMPONENT_BYTES} in all"
    return None

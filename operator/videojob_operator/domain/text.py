"""Text from containers and the API server, made safe for a status: one line, limited, without control characters."""

import re

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
_NO_REASON = re.compile(r"[^A-Za-z0-9]+")


def sanitize(text: str, limit: int) -> str:
    """One line without control characters, truncated to `limit`; the text may come from any container."""
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def to_reason(text: str, *, otherwise: str) -> str:
    """`text` as a condition's reason: letters and digits, beginning with a letter."""
    bare = _NO_REASON.sub("", text)[:64]
    return bare if bare[:1].isalpha() else otherwise

"""
The termination message of the agent's containers, read by the kubelet after they exit.

The file is a mount, so it cannot be replaced by renaming, and the process may be killed at any moment. So each message
is written in one call from the beginning, padded to the length of the longest before it: JSON permits trailing spaces,
and the file never holds a mixture of two messages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from videojob_api.messages.report import Failure, FetchResult, Report

MAX_BYTES = 2048
"""Maximum size in bytes; the kubelet truncates at 4096 per container and 12 KiB per pod."""


class TerminationMessage:
    """The message file of this container."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._longest = 0
        self._written: str | None = None

    def write(self, message: Report | FetchResult) -> None:
        """Replace the message unless it is unchanged. Raises OSError if the file cannot be written."""
        text = fit(message)
        if text == self._written:
            return
        content = text.encode().ljust(self._longest)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(descriptor, content, 0)
        finally:
            os.close(descriptor)
        self._longest, self._written = len(content), text


def fit(message: Report | FetchResult) -> str:
    """`message` as JSON of at most MAX_BYTES bytes: texts are shortened before facts are dropped."""
    text = _json(message)
    for smaller in _smaller_forms(message):
        if len(text.encode()) <= MAX_BYTES:
            break
        text = _json(smaller)
    return text


def _smaller_forms(message: Report | FetchResult) -> Iterator[Report | FetchResult]:
    """Yield smaller and smaller forms of a message; the last one always fits."""
    if isinstance(message, Report):
        message = message.model_copy(update={"message": message.message[:64]})
        yield message
    for characters in (512, 128):
        if failure := message.failure:
            short = Failure(reason=failure.reason, message=failure.message[:characters])
            message = message.model_copy(update={"failure": short})
            yield message
    if isinstance(message, Report) and (published := message.published):
        for url, videos in ((published.url, published.videos[:1]), (None, [])):
            smaller = published.model_copy(update={"url": url, "videos": videos})
            message = message.model_copy(update={"published": smaller})
            yield message


def _json(message: Report | FetchResult) -> str:
    return message.model_dump_json(by_alias=True, exclude_none=True)

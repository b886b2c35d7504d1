"""Translates OSErrors of the IO folder into agent errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from videojob_agent.errors import ScratchFailed, ScratchFull

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def translate_scratch_errors() -> Iterator[None]:
    """Translate OSErrors raised in the block into ScratchFull or ScratchFailed."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise ScratchFull("the IO folder is full; raise pod.scratch.size") from error
        raise ScratchFailed(f"the IO folder: {error.strerror or error}") from error

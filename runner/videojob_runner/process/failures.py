"""Maps exceptions to user-facing failures (reason, message, remedy)."""

from __future__ import annotations

import errno

from videojob_api.messages.report import Failure

from videojob_runner.errors import RunnerError

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def to_failure(error: Exception) -> Failure:
    """The failure that STATUS.json tells; an error of our own speaks for itself."""
    if isinstance(error, RunnerError):
        return _failure(error.reason, str(error))
    first_line = str(error).partition("\n")[0]
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, without importing torch
        return _failure(
            "OutOfMemory", f"{first_line or 'memory is exhausted'}; reduce width and height, or use fewer cuts"
        )
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return _failure("NoSpace", f"{first_line}; increase pod.scratch, or render fewer or smaller frames")
    if isinstance(error, PermissionError):
        return _failure("NotPermitted", f"{first_line}; the IO folder must be writable by the runner's user")
    return _failure("InternalError", f"{type(error).__name__}: {first_line}")


def _failure(reason: str, message: str) -> Failure:
    return Failure(reason=reason, message=message[:1024])

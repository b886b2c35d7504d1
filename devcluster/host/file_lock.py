"""One at a time, across processes: a lock that goes with the process that holds it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster.host.progress import log_line


@contextmanager
def exclusive_lock(file: Path) -> Iterator[None]:
    """Holds the lock behind `file` for the length of the block; says so when another holds it, and waits."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log_line(f"          waiting for another process ({file.name})")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield

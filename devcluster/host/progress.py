"""
Telling the user what happens and how long it takes: one line per step, with its seconds, on stderr.

Progress goes to stderr so that a command's answer (a path, an image reference) stays alone on stdout.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def log_line(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def timed_step(what: str) -> Iterator[None]:
    """Prints `what` with the seconds its body took; nothing when the body fails, for the error speaks then."""
    begin = time.monotonic()
    yield
    log_line(f"{time.monotonic() - begin:7.1f} s  {what}")

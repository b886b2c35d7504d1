"""Waiting for something to become true, without hiding why it did not."""

from __future__ import annotations

import time
from collections.abc import Callable

from devcluster.errors import StartFailed


def wait_until(what: str, check: Callable[[], bool], *, seconds: float, explain: Callable[[], str] = str) -> None:
    """
    Returns as soon as `check` is true.

    Raises StartFailed after `seconds`, naming `what` and adding what `explain` has to say (a log's end).
    """
    deadline, pause = time.monotonic() + seconds, 0.02
    while not check():
        if time.monotonic() > deadline:
            raise StartFailed(f"{what} was not ready after {seconds:.0f} s\n{explain()}".rstrip())
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)

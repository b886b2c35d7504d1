"""
First SIGTERM/SIGINT requests a graceful stop, the second exits immediately.

The first sets a flag that the running work looks at between two steps (`Checkpointer.maybe_save`); nothing is torn. The
second ends the process at once with 75, for people who press Ctrl-C twice. Python installs no handler for SIGTERM, and
the kernel drops it for process 1 of a container, so both are installed here.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from videojob_api.contract.exit_codes import ExitCode

log = logging.getLogger(__name__)


class StopFlag:
    """Set by the first signal; `exit_now` is what the second one does."""

    def __init__(self, exit_now: Callable[[int], object] = os._exit) -> None:
        self._requested = threading.Event()
        self._exit_now = exit_now

    def install(self) -> None:
        """Takes SIGTERM and SIGINT; only in the main thread of a process of our own."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle)

    def handle(self, number: int, _frame: FrameType | None = None) -> None:
        """Request a stop on the first signal; exit on the second."""
        name = signal.Signals(number).name
        if self._requested.is_set():
            self._exit_now(ExitCode.INTERRUPTED)
        log.warning("%s: stopping after this step; send it again to exit immediately", name)
        self._requested.set()

    def is_set(self) -> bool:
        """Whether the run shall end."""
        return self._requested.is_set()

    def wait(self, seconds: float) -> None:
        """Sleeps, but wakes up when the first signal comes."""
        self._requested.wait(seconds)

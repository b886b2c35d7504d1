"""
Retries while a store is unavailable, before the runner starts: waiting costs nothing, failing costs an attempt.

A rejection is raised at once. A failing disk of the node is retried briefly: another node may have a better one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from videojob_agent.backoff import Backoff
from videojob_agent.errors import ScratchFailed, TransientError
from videojob_agent.json_log import JsonLog
from videojob_agent.wait_message import WaitMessage, format_duration

SCRATCH_TIMEOUT_SECONDS = 10
"""Seconds for which errors of the IO folder are retried."""

T = TypeVar("T")


def ignore_message(wait_message: str) -> None:
    """Discard the message about a wait."""


@dataclass(kw_only=True, slots=True)
class Retrier:
    """
    Calls actions and retries them after transient errors.

    A wait lasts at most `limit` seconds from the first failure in a row; `clock` counts seconds. `on_message` receives
    the reason of the wait, and an empty string when it is over.
    """

    limit: int
    log: JsonLog
    sleep: Callable[[float], object]
    clock: Callable[[], float] = time.monotonic
    on_message: Callable[[str], object] = ignore_message
    wait_message: WaitMessage = field(default_factory=WaitMessage)
    backoff: Backoff = field(default_factory=Backoff)
    _waiting_since: float | None = None

    def __call__(self, action: Callable[[], T]) -> T:
        """Return the result of `action`. Raises AgentError; TransientError only after the time limit."""
        while True:
            try:
                result = action()
            except TransientError as error:
                self._wait(error)
            else:
                self._end()
                return result

    def _wait(self, error: TransientError) -> None:
        if self._waiting_since is None:
            self._waiting_since = self.clock()
        waited = self.clock() - self._waiting_since
        limit = min(self.limit, SCRATCH_TIMEOUT_SECONDS) if isinstance(error, ScratchFailed) else self.limit
        if waited >= limit:
            raise error.with_context(f"tried for {format_duration(limit)}") from error
        pause = min(self.backoff.next_delay(), limit - waited)
        self.log("fetch waits", reason=error.failure.reason, message=str(error), pause=round(pause, 1))
        self.on_message(self.wait_message("fetch", error, since=self._waiting_since, waited=waited, limit=limit))
        self.sleep(pause)

    def _end(self) -> None:
        if self._waiting_since is not None:
            self._waiting_since = None
            self.backoff.reset()
            self.on_message("")

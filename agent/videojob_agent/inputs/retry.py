"""
Trying again while a store is away, before the runner starts: nothing is lost by waiting, and an attempt is by failing.

A refusal is raised at once. A node's disk that fails gets a moment only: another node may have a better one.
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

SCRATCH_SECONDS = 10
"""How long the IO folder is tried again."""

T = TypeVar("T")


def ignore_message(words: str) -> None:
    """Nobody is told why fetch waits."""


@dataclass(kw_only=True, slots=True)
class Retrier:
    """
    Calls actions. A wait lasts `limit` seconds at most, from the first failure in a row; `clock` counts seconds.

    `say` is told why there is a wait, and nothing (`""`) when it is over.
    """

    limit: int
    events: JsonLog
    sleep: Callable[[float], object]
    clock: Callable[[], float] = time.monotonic
    say: Callable[[str], object] = ignore_message
    words: WaitMessage = field(default_factory=WaitMessage)
    backoff: Backoff = field(default_factory=Backoff)
    _began: float | None = None

    def __call__(self, action: Callable[[], T]) -> T:
        """The result of `action`. Raises what it raises, Trouble only when the wait has lasted too long."""
        while True:
            try:
                result = action()
            except TransientError as error:
                self._wait(error)
            else:
                self._end()
                return result

    def _wait(self, error: TransientError) -> None:
        if self._began is None:
            self._began = self.clock()
        waited = self.clock() - self._began
        limit = min(self.limit, SCRATCH_SECONDS) if isinstance(error, ScratchFailed) else self.limit
        if waited >= limit:
            raise error.with_context(f"tried for {format_duration(limit)}") from error
        pause = min(self.backoff.next_delay(), limit - waited)
        self.events("fetch waits", reason=error.failure.reason, message=str(error), pause=round(pause, 1))
        self.say(self.words("fetch", error, began=self._began, waited=waited, limit=limit))
        self.sleep(pause)

    def _end(self) -> None:
        if self._began is not None:
            self._began = None
            self.backoff.reset()
            self.say("")

"""
Messages about waiting: for how long, until when, what to do, and why.

Each change of the message is a write to the VideoJob's status. So the elapsed time is rounded to five steps, and the
error of an unavailable store, which differs at each try, is quoted again only with the next step. A rejection is quoted
immediately, because somebody may be fixing it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from videojob_agent.errors import AgentError, TransientError

ELAPSED_STEPS = (60, 600, 3600, 21_600, 86_400)
"""Seconds: one minute, ten minutes, one hour, six hours, one day."""
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def utc_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


class WaitMessage:
    """Builds the messages about waits; `now` is the wall clock."""

    def __init__(self, *, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._wait: tuple[float, int] | None = None
        self._deadline = ""
        self._elapsed = ""
        self._quoted: AgentError | None = None

    def __call__(self, subject: str, error: AgentError, *, since: float, waited: float, limit: int) -> str:
        """The message. `since` identifies the wait; `waited` and `limit` are seconds since its start."""
        elapsed = elapsed_text(waited)
        if self._wait != (since, limit):
            self._wait, self._quoted = (since, limit), None
            self._deadline = f"{self._now() + timedelta(seconds=limit - waited):%Y-%m-%d %H:%M} UTC"
        if elapsed != self._elapsed or not _is_same_message(error, self._quoted):
            self._elapsed, self._quoted = elapsed, error
        shown = self._quoted or error
        until = f"{self._deadline} ({format_duration(limit)})"
        return f"{subject} waits{elapsed}, until {until}: {shown.remedy}. {shown.failure.reason}: {shown}"


def elapsed_text(seconds: float) -> str:
    """` for over 10 minutes`: the longest step that has passed; empty during the first minute."""
    elapsed = [step for step in ELAPSED_STEPS if seconds >= step]
    return f" for over {format_duration(elapsed[-1])}" if elapsed else ""


def format_duration(seconds: int) -> str:
    """`6 hours`, `90 minutes`: in the largest unit that divides it evenly."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"{seconds // size} {unit}{'' if seconds == size else 's'}"


def _is_same_message(error: AgentError, quoted: AgentError | None) -> bool:
    return type(error) is type(quoted) and (isinstance(error, TransientError) or str(error) == str(quoted))

"""A clock for tests that only advances when the test, or the code under test, tells it to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = 1000.0
"""Initial monotonic time of a `ManualClock`, in seconds."""
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
"""Wall-clock time at `START`."""


@dataclass
class ManualClock:
    """Monotonic clock in seconds; call it to read it, and pass `sleep` where the code under test sleeps."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Advance the clock instead of sleeping."""
        self.forward(seconds)

    def wall(self) -> datetime:
        """Wall-clock time; `NOON` at `START`."""
        return NOON + timedelta(seconds=self.now - START)

"""The failure of a test that waited in vain."""

from __future__ import annotations


class Timeout(AssertionError):
    """A condition did not become true in time; the message contains the last observed state."""

"""The exit codes of runner and fetch: a promise to the Job's failure policy and to users' scripts (DESIGN §4)."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of our containers; 64, 65 and 66 are never retried."""

    DONE = 0
    BAD_CONFIG = 64
    BAD_INPUT = 65
    """An input is missing, invalid or denied, or a required device is missing."""
    UNSAFE_CHECKPOINT = 66
    INTERNAL = 70
    NOT_PUBLISHED = 74
    INTERRUPTED = 75
    """Stopped by SIGTERM after saving a checkpoint; another attempt resumes from it."""


NON_RETRIABLE = frozenset({ExitCode.BAD_CONFIG, ExitCode.BAD_INPUT, ExitCode.UNSAFE_CHECKPOINT})
"""Trying again cannot help: the spec or its data must change."""

"""The exit codes of runner and fetch: a promise to the Job's failure policy and to users' scripts (DESIGN §4)."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a container of ours says when it ends; codes 64, 65 and 66 are never retried."""

    DONE = 0
    BAD_CONFIG = 64
    BAD_INPUT = 65
    """An input that is missing, wrong or refused, or no device where one is required."""
    UNSAFE_CHECKPOINT = 66
    INTERNAL = 70
    NOT_PUBLISHED = 74
    INTERRUPTED = 75
    """Stopped by SIGTERM after saving; another attempt goes on from there."""


NON_RETRIABLE = frozenset({ExitCode.BAD_CONFIG, ExitCode.BAD_INPUT, ExitCode.UNSAFE_CHECKPOINT})
"""Trying again cannot help: the spec or its data must change."""

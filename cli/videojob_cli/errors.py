"""Errors that end a command: a message for the user and an exit code."""

from __future__ import annotations

from videojob_api.contract.exit_codes import ExitCode

EXIT_JOB_FAILED = 1
"""Exit code when the runner itself ended well, and the job has failed all the same."""


class CommandFailed(Exception):
    """Ends the command with `exit_code`; its text is all that the user sees."""

    def __init__(self, message: str, *, exit_code: int = ExitCode.BAD_CONFIG) -> None:
        super().__init__(message)
        self.exit_code = exit_code

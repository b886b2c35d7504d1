"""
The reason why fetch waits, as a small file in the IO folder.

Fetch cannot reach the operator, and its termination message is read only after it has exited. The agent, which runs
beside it, reports the content of this file.
"""

from __future__ import annotations

from pathlib import Path

from videojob_api.contract.layout import FETCH_NOTE

from videojob_agent.errors import AgentError
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_agent.json_log import JsonLog


class FetchNote:
    """The note below an IO folder; if it cannot be written, the message is in the log only."""

    def __init__(self, io_path: str, *, log: JsonLog) -> None:
        self._io = Path(io_path)
        self._log = log

    def write(self, message: str) -> None:
        """Replace the note; an empty message removes it."""
        try:
            with SafeDirectory.open(self._io, create=True) as io:
                if not message:
                    io.remove(FETCH_NOTE)
                    return
                with io.atomic_writer(FETCH_NOTE) as file:
                    file.write(message.encode())
        except (OSError, AgentError) as error:
            self._log("note not written", message=str(error))

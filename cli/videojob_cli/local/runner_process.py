"""
Runs the runner as a local process, with the environment its container would have.

It gets a session of its own, so that Ctrl-C reaches it once and as SIGTERM: the first asks it to save and stop, the
second to stop at once. On Linux it ends with the command even when that is killed: it would wait for ever for somebody
to publish. What it prints goes to a file.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from videojob_api.contract.launch import RunMode, runner_command, runner_environment
from videojob_api.resource.spec import VideoJobSpec

RUNNER_LOG = "runner.log"
LOG_TAIL_LINES = 12
PROGRAM = (sys.executable, "-m", "videojob_runner")
"""The runner of this interpreter."""


class RunnerProcess:
    """Started at once; `log` is where its output goes."""

    def __init__(self, spec: VideoJobSpec, io: Path, *, mode: RunMode) -> None:
        self.log = io / RUNNER_LOG
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*parent_death_signal(), *runner_command(spec, mode, program=PROGRAM)],
                env=os.environ | runner_environment(spec, mode, io_path=str(io)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Asks it to end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it, if it still runs."""
        self._process.kill()
        self._process.wait()

    def exit_code(self, *, within: float) -> int | None:
        """Its exit code, waited for `within` seconds; 128 + n when signal n has ended it; None while it runs."""
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            return None
        return code if code >= 0 else 128 - code

    def log_tail(self) -> str:
        """The end of what it has printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


def parent_death_signal() -> list[str]:
    """Return a command prefix that kills the command when this process dies; empty where unsupported."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []

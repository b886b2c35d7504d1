"""
Long-running processes of a cluster: started into a session of their own, found again by a file, stopped by pid.

`run/NAME.pid` holds the pid and the kernel's start time of the process, so that a pid which meanwhile belongs to
somebody else is never taken for ours. A zombie does not count as running: where pid 1 reaps slowly, a signal to a
dead process still succeeds.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import StartFailed

LOG_TAIL_LINES = 15


def process_start_time(pid: int) -> str | None:
    """The kernel's start time of a process (clock ticks since boot); None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else fields[19]


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@dataclass(frozen=True, slots=True)
class Daemons:
    """The processes of one cluster, kept below its state folder; `prefix` is put before every command."""

    folder: Path
    prefix: tuple[str, ...] = ()

    def start(self, name: str, command: Iterable[str | Path], *, environment: Mapping[str, str] | None = None) -> int:
        """Starts `command` as daemon `name` and returns its pid; raises StartFailed when it runs already."""
        if self.running(name):
            raise StartFailed(f"{name} is already running (pid file {self._pid_file(name)}): stop it first")
        argv = [*self.prefix, *(str(part) for part in command)]
        for path in (self._pid_file(name), self.log(name)):
            path.parent.mkdir(parents=True, exist_ok=True)
        pid = os.posix_spawnp(
            argv[0],
            argv,
            {**os.environ, **(environment or {})},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log(name)), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        self._pid_file(name).write_text(f"{pid} {process_start_time(pid)}\n")
        return pid

    def running(self, name: str) -> bool:
        """Whether daemon `name` lives; a zombie, or a pid that was given to another process, does not count."""
        return self.pid(name) is not None

    def pid(self, name: str) -> int | None:
        """The pid of a living daemon, else None."""
        try:
            pid, begun = self._pid_file(name).read_text().split()
        except (OSError, ValueError):
            return None
        _reap(int(pid))
        return int(pid) if begun != "None" and process_start_time(int(pid)) == begun else None

    def stop(self, name: str, *, timeout: float = 20.0) -> None:
        """Asks daemon `name` to end and waits; after `timeout` seconds it is killed. No daemon: no effect."""
        pid = self.pid(name)
        if pid is not None:
            _signal(pid, signal.SIGTERM)
            if not self._gone(name, within=timeout):
                _signal(pid, signal.SIGKILL)
                self._gone(name, within=5.0)
        self._pid_file(name).unlink(missing_ok=True)

    @contextmanager
    def pause(self, name: str) -> Iterator[None]:
        """Stops daemon `name` by SIGSTOP for the length of a `with` block: it keeps its connections and is silent."""
        pid = self.check_running(name)
        _signal(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            if self.pid(name) == pid:
                _signal(pid, signal.SIGCONT)

    def names(self) -> list[str]:
        """Every daemon that was started and not stopped, whether or not it still lives."""
        return sorted(path.stem for path in (self.folder / "run").glob("*.pid"))

    def log(self, name: str) -> Path:
        """The file with everything the daemon has said since its last start."""
        return self.folder / "logs" / f"{name}.log"

    def log_tail(self, name: str) -> str:
        """The end of a daemon's log, with the file's name, for an error message."""
        log = self.log(name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join([f"end of {log}:", *lines[-LOG_TAIL_LINES:]])

    def check_running(self, name: str) -> int:
        """The pid of daemon `name`; raises StartFailed, with the end of its log, when it has ended."""
        pid = self.pid(name)
        if pid is None:
            raise StartFailed(f"{name} ended\n{self.log_tail(name)}")
        return pid

    def _gone(self, name: str, *, within: float) -> bool:
        deadline = time.monotonic() + within
        while self.running(name):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _pid_file(self, name: str) -> Path:
        return self.folder / "run" / f"{name}.pid"

"""The agent's log: one JSON line per event, with the job's identity. Never contains tokens or prompts."""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime
from typing import TextIO

from videojob_api.messages.plan import JobRef

LogValue = str | int | float | bool | None


class JsonLog:
    """Writes events of one job to `stream`; may be shared by threads. `component` is `fetch`, `agent` or `local`."""

    def __init__(self, job: JobRef, *, component: str, stream: TextIO = sys.stdout) -> None:
        self._always: dict[str, LogValue] = {
            "part": component,
            "namespace": job.namespace,
            "name": job.name,
            "uid": job.uid,
        }
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, event: str, **fields: LogValue) -> None:
        """One line: the time, the event as a short phrase, the job, and the facts."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, "event": event} | self._always | fields)
        with self._lock:
            print(line, file=self._stream, flush=True)

"""Builders and recording fakes of the agent's tests: each test shows only what matters to it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from videojob_agent.errors import AgentError, AlreadyCommitted, EndpointUnreachable, InputNotFound
from videojob_agent.json_log import JsonLog
from videojob_agent.report.reporter import ReportResponse
from videojob_agent.status.status_file import RunnerStatus
from videojob_api.contract.status import RunnerState, StatusDetails, parse_status_line
from videojob_api.messages.plan import InputPlan, JobPlan, JobRef, OutputPlan
from videojob_api.resource.storage import Input

from tests.support.clock import ManualClock

JOB = JobRef(namespace="night", name="waves", uid="uid-1")


def plan(io_path: Path, **changes: Any) -> JobPlan:
    """A plan that publishes beside the IO folder."""
    folder = io_path.parent / "published"
    basics: dict[str, Any] = {"job": JOB, "config": '{"a": 1}', "io_path": str(io_path)}
    return JobPlan(**basics | {"output": OutputPlan(folder=str(folder), url="pvc://videos/waves/")} | changes)


def inline_input(path: str, text: str = "hello", **promises: Any) -> InputPlan:
    """An input that stands in the spec."""
    return InputPlan(input=Input(path=path, inline=text, **promises))


def string_log() -> tuple[JsonLog, io.StringIO]:
    """A log, and where it goes."""
    stream = io.StringIO()
    return JsonLog(JOB, component="agent", stream=stream), stream


def runner_status(line: str, **details: Any) -> RunnerStatus:
    """What a reader sees: STATUS, and STATUS.json when there are details."""
    parsed = parse_status_line(line)
    extra = StatusDetails(line=line, uid=parsed.uid, state=parsed.state, **details) if details else None
    return RunnerStatus(parsed, extra)


def write_as_runner(io_path: Path, status: str, **files: bytes) -> None:
    """What a runner would do: files below output/ (`frames__0` is frames/0.png, `v` is v.mp4), then STATUS."""
    for name, content in files.items():
        path = io_path / "output" / (name.replace("__", "/") + (".png" if "__" in name else ".mp4"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (io_path / "STATUS").write_text(status)


def details_of(line: str, **more: Any) -> str:
    """STATUS.json that agrees with a line."""
    parsed = parse_status_line(line)
    return json.dumps({"line": line, "uid": parsed.uid, "state": RunnerState(parsed.state).value} | more)


def names_in(folder: Path) -> list[str]:
    """What lies in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


@dataclass
class MemoryStore:
    """A store in memory; `refusals` are raised one by one, by whatever method comes next."""

    files: dict[str, bytes] = field(default_factory=dict)
    committed: bytes | None = None
    refusals: list[AgentError] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)
    away_until: dict[str, float] = field(default_factory=dict)
    """Until when it is away for a file of this name."""
    seconds_for: dict[str, float] = field(default_factory=dict)
    """How long it takes for a file of this name."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def probe(self) -> None:
        self._refuse()

    def put(self, source: BinaryIO, *, name: str, size: int) -> None:
        self._refuse()
        if self.clock.now < self.away_until.get(name, 0):
            raise EndpointUnreachable(f"away for {name}")
        self.clock.sleep(self.seconds_for.get(name, 0))
        content = source.read()
        with self._lock:
            self.files[name] = content
            self.order.append(name)

    def read(self, name: str) -> Iterator[bytes]:
        self._refuse()
        if name not in self.files:
            raise InputNotFound(name)
        yield self.files[name]

    def read_bytes(self, name: str) -> bytes | None:
        self._refuse()
        return self.files.get(name)

    def list_names(self, prefix: str) -> list[str]:
        self._refuse()
        return [name for name in self.files if name.startswith(prefix)]

    def remove(self, name: str) -> None:
        self._refuse()
        self.files.pop(name, None)

    def manifest(self) -> bytes | None:
        self._refuse()
        return self.committed

    def commit(self, manifest: bytes) -> None:
        self._refuse()
        if self.committed is not None:
            raise AlreadyCommitted("manifest.json exists")
        self.committed = manifest

    def _refuse(self) -> None:
        with self._lock:
            if self.refusals:
                raise self.refusals.pop(0)


@dataclass
class RecordingEndpoint:
    """An operator that answers from a list, the last answer again and again."""

    answers: list[ReportResponse | AgentError] = field(default_factory=lambda: [ReportResponse(204)])
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def post(self, body: bytes) -> ReportResponse:
        self.bodies.append(json.loads(body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, AgentError):
            raise answer
        return answer

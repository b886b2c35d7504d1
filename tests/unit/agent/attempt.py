"""One attempt at a job, fetch and agent at work on an IO folder of its own, its runner played by the test."""

from __future__ import annotations

import hashlib
import io as streams
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videojob_agent.checkpoints.uploader import CheckpointUploader
from videojob_agent.inputs.fetch import fetch
from videojob_agent.json_log import JsonLog
from videojob_agent.publish.publish_loop import PublishLoop
from videojob_agent.publish.publisher import Publisher
from videojob_agent.status.state import SharedState
from videojob_agent.stores import Store
from videojob_api.messages.plan import JobPlan
from videojob_api.messages.report import FetchResult

from tests.support.clock import NOON, ManualClock
from tests.unit.agent.fakes import JOB, plan, runner_status, write_as_runner

PREFIX = "checkpoints/uid-1/"
INDEX = PREFIX + "index.json"


def frame(number: int) -> bytes:
    """What every attempt draws as this frame."""
    return b"frame %d" % number


def state(step: int) -> bytes:
    """What every attempt has reached after this step."""
    return b"state after %d" % step


def folder_of(step: int) -> str:
    """What the runner calls the folder of a step's checkpoint."""
    return f"step-{step:012}"


@dataclass
class SimulatedAttempt:
    """The pod's two containers, step by step and without waiting."""

    io: Path
    store: Store
    clock: ManualClock
    board: SharedState
    publishing: PublishLoop
    orders: JobPlan
    events: JsonLog
    stream: streams.StringIO

    @classmethod
    def at(cls, folder: Path, store: Store, **changes: Any) -> SimulatedAttempt:
        """An attempt on a fresh disk, `folder`."""
        io, clock, board, stream = folder / "io", ManualClock(), SharedState(), streams.StringIO()
        io.mkdir(parents=True)
        orders = plan(io, **{"publishes_checkpoints": True} | changes)
        events = JsonLog(JOB, component="agent", stream=stream)
        carrier = CheckpointUploader(orders, store, log=events)
        publisher = Publisher(orders, store, clock=clock, now=lambda: NOON, already_stored=carrier.indexed_frames)
        publishing = PublishLoop(orders, publisher, board, carrier, log=events, clock=clock)
        return cls(io, store, clock, board, publishing, orders, events, stream)

    def fetch(self, *, naps: list[float] | None = None) -> FetchResult:
        """What happens before the runner starts."""

        def sleep(seconds: float) -> None:
            self.clock.sleep(seconds)
            if naps is not None:
                naps.append(seconds)

        return fetch(self.orders, self.store, log=self.events, sleep=sleep, clock=self.clock)

    def draws(self, *numbers: int) -> None:
        """The runner writes these frames."""
        for number in numbers:
            path = self.io / f"output/frames/{number:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(frame(number))

    def saves(self, step: int, *, frames: int, uid: str = JOB.uid, **files: bytes) -> Path:
        """The runner saves a checkpoint that counts on so many frames; where it lies."""
        place = self.io / "checkpoints" / folder_of(step)
        place.mkdir(parents=True)
        for name, content in (files or {"state": state(step), "metrics": b"1,loss,1"}).items():
            (place / name).write_bytes(content)
        marker = {"uid": uid, "digest": "d", "step": step, "seed": 7, "frames": frames, "versions": {}}
        (place / "complete").write_text(json.dumps(marker))
        return place

    def says(self, line: str, **files: bytes) -> None:
        """The runner writes STATUS, and perhaps files before it."""
        write_as_runner(self.io, line, **files)
        self.board.set_runner_status(runner_status(line))

    def step(self, *, after: float = 0) -> None:
        """The agent looks once."""
        self.clock.now += after
        self.publishing.run_once()

    def ends(self) -> None:
        """The runner is gone, and the agent flushes."""
        self.board.set_runner_exited()
        self.step()

    @property
    def log(self) -> list[dict[str, Any]]:
        """What fetch and agent have said."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def told(self, event: str) -> list[dict[str, Any]]:
        """The events of that name."""
        return [line for line in self.log if line["event"] == event]


def index(store: Any) -> dict[str, Any]:
    """The index at the output."""
    found: dict[str, Any] = json.loads(b"".join(store.read(INDEX)))
    return found


def resumable_steps(store: Any) -> list[int]:
    """The steps that can be gone on from, newest first."""
    return [checkpoint["step"] for checkpoint in index(store)["checkpoints"]]


def manifest_entry(path: str, content: bytes) -> dict[str, Any]:
    """A file as indices and manifests list it."""
    return {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

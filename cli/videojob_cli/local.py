"""
A VideoJob without a cluster: the pod's fetch, runner and publishing, as processes and threads of this machine.

The same plan function as in the operator makes the marching orders, only the places differ: the IO folder is a scratch
folder, the claim is a folder, nobody listens to reports, and credentials are those of whoever runs it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

from videojob_agent.errors import AgentError
from videojob_agent.events import Events
from videojob_agent.fetch import fetch
from videojob_agent.stores import store_for
from videojob_agent.watch import Watch, utc_now
from videojob_api import layout
from videojob_api.exit_codes import ExitCode
from videojob_api.plan import JobRef, Plan
from videojob_api.report import Failure, ProgressState, Report
from videojob_api.spec import VideoJobSpec
from videojob_api.videojob import VideoJob
from videojob_operator.domain.plan import Places, make_plan
from videojob_operator.domain.pod import mode


class CannotRunHere(Exception):
    """This VideoJob needs something that only a cluster has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folders:
    """Where a local run lives: `io` is the runner's IO folder, `claims` holds one folder per claim by name."""

    io: Path
    claims: Path
    output: Path | None = None
    """Instead of the claim's own folder; a run still gets `<name>/<uid>` below it unless the layout is Flat."""
    log: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalRun:
    """One VideoJob on this machine. `show` is told every new state."""

    videojob: VideoJob
    folders: Folders
    show: Callable[[Report], object]
    uid: str = field(default_factory=lambda: str(uuid4()))

    def run(self) -> tuple[int, Report]:
        """Fetches, renders, publishes; the exit code and the last state. Raises CannotRunHere at once."""
        spec, plan = self.videojob.spec, self.plan()
        _check(spec)
        with self.folders.log.open("w") as log:
            events = Events(plan.job, part="local", stream=log)
            try:
                store = store_for(plan.output, credentials_root=None)
                fetch(plan, store, events=events, sleep=time.sleep)
            except AgentError as error:
                return int(error.exit_code), _failed(self.uid, error.failure)
            gone = Event()
            watch = Watch(plan=plan, store=store, gone=gone, events=events, say=self.show)
            with _watching(watch, gone) as last, _runner(spec, plan, self.folders.log) as process:
                code = _wait(process)
        report = last[0]
        return code or _publishing_failed(report), report

    def plan(self) -> Plan:
        """The marching orders of this run."""
        meta, spec = self.videojob.metadata, self.videojob.spec
        job = JobRef(namespace=meta.namespace, name=meta.name, uid=self.uid)
        claim = spec.output.pvc.claim_name if spec.output.pvc else ""
        places = Places(
            io_path=str(self.folders.io),
            claims_root=str(self.folders.claims),
            output_mount=str(self.folders.claims / claim),
            output_folder=self._output_folder(),
            credentials_root=None,
        )
        return make_plan(job, spec, places)

    def _output_folder(self) -> str | None:
        if self.folders.output is None:
            return None
        if self.videojob.spec.output.layout == "Flat":
            return str(self.folders.output)
        return str(self.folders.output / self.videojob.metadata.name / self.uid)


def _check(spec: VideoJobSpec) -> None:
    if spec.pipeline.custom is not None:
        raise CannotRunHere(
            "spec.pipeline.custom runs an image, and `videojob run` starts no containers: use a cluster"
        )
    mounted = [item.path for item in spec.inputs or [] if item.access == "Mount"]
    if mounted:
        raise CannotRunHere(f"spec.inputs: {mounted[0]} has access Mount, which needs a pod: use Copy")


@contextmanager
def _runner(spec: VideoJobSpec, plan: Plan, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The runner as a process in a session of its own, so that Ctrl-C reaches it once, through us."""
    command = [sys.executable, "-m", "videojob_runner", f"--mode={mode(spec)}"]
    if spec.test:
        command.append(f"--test_duration={spec.test.duration_seconds}")
    users = {item.name: item.value for item in spec.runner.env or []}
    ours = {
        layout.IO_PATH_VARIABLE: plan.io_path,
        layout.ACCELERATOR_VARIABLE: spec.runner.accelerator,
        layout.AWAIT_VARIABLE: "1",
    }
    with log.open("ab") as output:
        environment = dict(os.environ) | users | ours
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The runner's exit code. The first Ctrl-C lets it save and end, the second ends it at once."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        return process.wait()


@contextmanager
def _watching(watch: Watch, gone: Event) -> Iterator[list[Report]]:
    """The agent's watch in a thread; the list holds its last report once the block is left."""
    last: list[Report] = []
    thread = Thread(target=lambda: last.append(watch.run()), name="agent")
    thread.start()
    try:
        yield last
    finally:
        gone.set()
        thread.join()


def _publishing_failed(report: Report) -> int:
    """The exit code of a runner that ended well: DONE only when the manifest is committed."""
    if report.state is ProgressState.FAILED:
        return int(ExitCode.INTERNAL)
    committed = report.published is not None and report.published.manifest_digest is not None
    return int(ExitCode.DONE if committed else ExitCode.NOT_PUBLISHED)


def _failed(uid: str, failure: Failure) -> Report:
    return Report(uid=uid, sequence=0, state=ProgressState.FAILED, observed_time=utc_now(), failure=failure)

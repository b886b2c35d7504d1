"""
Agent sidecar: polls STATUS twice a second, publishes output, reports progress, writes the termination message.

Publishing and reporting have a thread each, so a slow bucket does not delay progress and an unavailable operator does
not delay the video. An unexpected error in either ends the sidecar. The runner has exited when `runner_exited` is set:
by the kubelet's SIGTERM, which a native sidecar receives only then, or by the local caller.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from videojob_api.messages.plan import JobPlan
from videojob_api.messages.report import Report

from videojob_agent.checkpoints.uploader import CheckpointUploader
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_agent.json_log import JsonLog
from videojob_agent.publish.publish_loop import PublishLoop
from videojob_agent.publish.publisher import Publisher
from videojob_agent.report.reporter import Endpoint, ProgressReporter
from videojob_agent.status.state import AgentState, SharedState
from videojob_agent.status.status_file import StatusReader
from videojob_agent.stores import Store
from videojob_agent.wait_message import utc_now

POLL_SECONDS = 0.5
_GRACE_PERIOD_WARNING = (
    "publishing is still running {} s after the runner exited, and the pod may be killed; "
    "raise pod.terminationGracePeriodSeconds"
)
"""Reported in advance: after SIGKILL nothing can be reported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sidecar:
    """The sidecar of one job. `on_report` receives each new state as a report."""

    plan: JobPlan
    store: Store
    runner_exited: Event
    log: JsonLog
    on_report: Callable[[Report], object]
    endpoint: Endpoint | None = None

    def run(self) -> Report:
        """Run until the runner has exited and all is published or given up; return the last report."""
        state, uploader = SharedState(), CheckpointUploader(self.plan, self.store, log=self.log)
        publisher = Publisher(
            self.plan, self.store, clock=time.monotonic, now=utc_now, already_stored=uploader.indexed_frames
        )
        publish_loop = PublishLoop(self.plan, publisher, state, uploader, log=self.log)
        reporter = self._create_reporter(state)
        with ThreadPoolExecutor(2) as threads, SafeDirectory.open(Path(self.plan.io_path)) as io:
            tasks = [threads.submit(publish_loop.run)]
            if reporter:
                tasks.append(threads.submit(reporter.run))
            try:
                for snapshot in self._poll(StatusReader(io), state, publish_loop.finished):
                    raise_first_failure(tasks)
                    self.on_report(self._report(snapshot, reporter))
            finally:
                state.close()
        return self._report(state.current, reporter)

    def _poll(self, reader: StatusReader, state: SharedState, finished: Event) -> Iterator[AgentState]:
        """Yield the current state twice a second until the runner has exited and publishing has finished."""
        warn_at = math.inf
        while True:
            exited = self.runner_exited.is_set()  # read first, so that the status read below is final
            if status := reader.read():
                state.set_runner_status(status)
            else:
                state.set_fetch_message(reader.fetch_note())
            if exited and not state.current.runner_exited:
                state.set_runner_exited()
                warn_at = time.monotonic() + self.plan.flush_seconds
            if time.monotonic() > warn_at and not finished.is_set():
                state.set_warning(_GRACE_PERIOD_WARNING.format(self.plan.flush_seconds))
                warn_at = math.inf
            is_done = exited and finished.is_set()  # read before the state, which publishing sets first
            yield state.current
            if is_done:
                return
            (finished if exited else self.runner_exited).wait(POLL_SECONDS)

    def _create_reporter(self, state: SharedState) -> ProgressReporter | None:
        if self.endpoint is None:
            return None
        return ProgressReporter(self.plan.job.uid, state, self.endpoint, log=self.log, now=utc_now)

    def _report(self, snapshot: AgentState, reporter: ProgressReporter | None) -> Report:
        sequence = reporter.sequence + 1 if reporter else 0
        return snapshot.to_report(self.plan.job.uid, sequence=sequence, time=utc_now())


def raise_first_failure(tasks: Iterable[Future[None]]) -> None:
    """Raise the exception of a thread that has failed."""
    for task in tasks:
        if task.done():
            task.result()

"""
The agent beside the runner: looks at STATUS twice a second, publishes, reports, and leaves last words.

Publishing and reporting have a thread each, so that a slow bucket does not hide progress and a lost operator does not
hold up a video. An error that none of them expects ends the whole watch. The runner has ended when `runner_exited` is
set: by the kubelet's SIGTERM, which comes to a native sidecar only then, or by whoever started the runner locally.
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
_TOO_SLOW = (
    "publishing goes on {} s after the runner's end, and the pod may be killed; raise pod.terminationGracePeriodSeconds"
)
"""Said before it happens: nothing can be said after."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sidecar:
    """One job's watch. `on_report` takes each new state as a report, for last words or a terminal."""

    plan: JobPlan
    store: Store
    runner_exited: Event
    log: JsonLog
    on_report: Callable[[Report], object]
    endpoint: Endpoint | None = None

    def run(self) -> Report:
        """Watches until the runner has ended and all is published or given up; the last report."""
        board, carrier = SharedState(), CheckpointUploader(self.plan, self.store, events=self.log)
        publisher = Publisher(
            self.plan, self.store, clock=time.monotonic, now=utc_now, already_stored=carrier.indexed_frames
        )
        publishing = PublishLoop(self.plan, publisher, board, carrier, events=self.log)
        reporting = self._reporting(board)
        with ThreadPoolExecutor(2) as threads, SafeDirectory.open(Path(self.plan.io_path)) as io:
            tasks = [threads.submit(publishing.run)]
            if reporting:
                tasks.append(threads.submit(reporting.run))
            try:
                for known in self._poll(StatusReader(io), board, publishing.over):
                    raise_first_failure(tasks)
                    self.on_report(self._report(known, reporting))
            finally:
                board.close()
        return self._report(board.current, reporting)

    def _poll(self, reader: StatusReader, board: SharedState, over: Event) -> Iterator[AgentState]:
        """What is known, twice a second, until the runner is gone and publishing over."""
        late = math.inf
        while True:
            gone = self.runner_exited.is_set()  # asked first: what is read after it is the runner's last word
            if sight := reader.read():
                board.set_runner_status(sight)
            else:
                board.fetching(reader.fetch_note())
            if gone and not board.current.runner_exited:
                board.set_runner_exited()
                late = time.monotonic() + self.plan.flush_seconds
            if time.monotonic() > late and not over.is_set():
                board.set_warning(_TOO_SLOW.format(self.plan.flush_seconds))
                late = math.inf
            ended = gone and over.is_set()  # asked before the board is read: publishing speaks before it is over
            yield board.current
            if ended:
                return
            (over if gone else self.runner_exited).wait(POLL_SECONDS)

    def _reporting(self, board: SharedState) -> ProgressReporter | None:
        if self.endpoint is None:
            return None
        return ProgressReporter(self.plan.job.uid, board, self.endpoint, events=self.log, now=utc_now)

    def _report(self, known: AgentState, reporting: ProgressReporter | None) -> Report:
        sequence = reporting.sequence + 1 if reporting else 0
        return known.to_report(self.plan.job.uid, sequence=sequence, time=utc_now())


def raise_first_failure(tasks: Iterable[Future[None]]) -> None:
    """Raises the error that has ended one of the threads."""
    for task in tasks:
        if task.done():
            task.result()

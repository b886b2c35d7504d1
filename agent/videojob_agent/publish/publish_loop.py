"""
Decides what to publish when, from the first frame to the acknowledgement.

    runner works             publish stable frames and new checkpoints periodically; retry errors
    COMPLETED                everything, then the manifest; a custom runner's files must be stable, or it has exited
    FAILED                   the newest checkpoint with its frames, everything, no manifest
    exited without either    the newest checkpoint with its frames, then the other frames, once

The built-in runner waits for the acknowledgement, so a finished output is retried for `publishSeconds`, whatever the
store's error: somebody may restore the service, free space, or correct credentials. Errors that waiting cannot fix end
publishing at once. A custom runner, or one that has failed, does not wait; publishing is not given up before it exits,
and afterwards half of the grace period applies.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from videojob_api.contract.layout import ACKNOWLEDGEMENT_FILE
from videojob_api.contract.status import RunnerState
from videojob_api.messages.plan import JobPlan
from videojob_api.messages.report import Acknowledgement, Failure, Published

from videojob_agent.backoff import Backoff
from videojob_agent.checkpoints.uploader import CheckpointUploader
from videojob_agent.errors import AgentError, NoVideo, OutputNotReadable, OutputOccupied, TransientError, UnsafePath
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_agent.json_log import JsonLog
from videojob_agent.publish.publisher import Publisher
from videojob_agent.status.state import AgentState, SharedState
from videojob_agent.wait_message import WaitMessage, format_duration

POLL_SECONDS = 1.0
FINAL_ERRORS = (NoVideo, OutputNotReadable, OutputOccupied, UnsafePath)
"""Errors that waiting cannot fix: about the runner's own files, or another job's manifest."""


class PublishLoop:
    """Publishes one job's output; `finished` is set when there is nothing more to do."""

    def __init__(
        self,
        plan: JobPlan,
        publisher: Publisher,
        state: SharedState,
        uploader: CheckpointUploader,
        *,
        log: JsonLog,
        clock: Callable[[], float] = time.monotonic,
        wait_message: WaitMessage | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.finished = threading.Event()
        self._plan = plan
        self._publisher = publisher
        self._state = state
        self._uploader = uploader
        self._log = log
        self._clock = clock
        self._wait_message = wait_message or WaitMessage()
        self._backoff = backoff or Backoff()
        self._checked_for_manifest = False
        self._started_at: dict[str, float] = {}
        """When the runner was first seen COMPLETED or exited, and when the current errors began."""
        self._stored = Published()
        """What had been stored at the last error."""

    def run(self) -> None:
        """Run until finished or until the state is closed; for a thread of its own."""
        while not (self.finished.is_set() or self._state.is_closed):
            snapshot = self._state.current
            pause = self.run_once()
            self._sleep(snapshot, until=self._clock() + pause)

    def _sleep(self, snapshot: AgentState, *, until: float) -> None:
        """Wait until `until` or until the runner's state changes; other updates do not trigger a new listing."""
        while not self.finished.is_set() and not self._state.is_closed and (left := until - self._clock()) > 0:
            current = self._state.current
            if (current.runner_state, current.runner_exited) != (snapshot.runner_state, snapshot.runner_exited):
                return
            self._state.wait_for_change(current, timeout=left)

    def run_once(self) -> float:
        """Publish what can be published now; return the seconds until the next run."""
        since = self._clock()
        snapshot = self._state.current
        if snapshot.runner_exited:
            self._started_at.setdefault("exited", since)
        if snapshot.runner_state is RunnerState.COMPLETED:
            self._started_at.setdefault("completed", since)
        try:
            self._publish(snapshot)
        except AgentError as error:
            return self._handle_error(error)
        self._started_at.pop("error", None)
        self._backoff.reset()
        self._state.set_published(self._publisher.published)
        return max(POLL_SECONDS, 10 * (self._clock() - since))  # listing many files must not eat the pod's CPU

    def _publish(self, snapshot: AgentState) -> None:
        if not self._checked_for_manifest and self._publisher.adopt_manifest():
            self._finish()
        self._checked_for_manifest = True
        if self.finished.is_set():
            return
        if snapshot.runner_state is RunnerState.COMPLETED:
            self._complete(snapshot, runner_done=snapshot.runner_exited or not self._plan.custom_runner)
        elif snapshot.runner_state is RunnerState.FAILED:
            self._upload_checkpoint()
            self._publisher.sync_all(only_stable=False)
            self._finish_with(Failure(reason="RunnerFailed", message="the runner failed; its frames were published"))
        elif snapshot.runner_exited:
            self._upload_checkpoint()  # first, since the next attempt lives on it, and the grace period may be short
            self._publisher.sync_frames(only_stable=False)
            self._finish_with(Failure(reason="RunnerInterrupted", message="the runner exited before it finished"))
        else:
            self._publisher.sync_frames(only_stable=True)
            self._upload_checkpoint()

    def _upload_checkpoint(self) -> None:
        """Upload the newest checkpoint, after the frames it depends on."""
        checkpoint = self._uploader.newest()
        if checkpoint is None:
            return
        frames = self._publisher.sync_frames_up_to(checkpoint.marker.frames)
        if frames is not None:
            self._uploader.upload(checkpoint, frames)

    def _complete(self, snapshot: AgentState, *, runner_done: bool) -> None:
        """Publish everything and commit; `runner_done`: no file is being written any more."""
        if not self._publisher.sync_all(only_stable=not runner_done):
            return
        if self._publisher.has_video:
            self._publisher.commit(snapshot.versions, artifacts=snapshot.artifacts)
            self._finish()
        elif runner_done:
            raise NoVideo("the runner reported COMPLETED, but output/ contains no non-empty .mp4 file")

    def _finish(self) -> None:
        """Finish successfully; checkpoints are deleted afterwards, so that the runner need not wait for it."""
        self._finish_with(None)
        self._uploader.delete_all()

    def _handle_error(self, error: AgentError) -> float:
        """Give up, or return the seconds until the next try."""
        now, stored = self._clock(), self._publisher.published
        if stored != self._stored:  # the store took something in between: another wait begins
            self._started_at["error"], self._stored = now, stored
        self._log("publishing failed", reason=error.failure.reason, message=str(error))
        since, limit = self._wait(error, self._started_at.setdefault("error", now))
        if limit == 0:
            self._finish_with(error.failure)
        elif now - since >= limit:
            self._finish_with(error.with_context(f"{self._subject} waited for {format_duration(int(limit))}").failure)
        else:
            self._state.set_warning(self._wait_warning(error, since=since, limit=limit))
            return min(self._backoff.next_delay(), since + limit - now)
        return 0

    def _wait(self, error: AgentError, error_since: float) -> tuple[float, float]:
        """When the wait for this error began, and its limit in seconds; 0 if waiting cannot fix the error."""
        is_final = isinstance(error, FINAL_ERRORS)
        if "exited" in self._started_at:
            is_worth_it = isinstance(error, TransientError) or self._state.current.runner_state is RunnerState.COMPLETED
            return self._started_at["exited"], self._plan.flush_seconds if is_worth_it and not is_final else 0
        if "completed" not in self._started_at or self._plan.custom_runner:
            return error_since, math.inf
        return max(self._started_at["completed"], error_since), 0 if is_final else self._plan.publish_seconds

    def _wait_warning(self, error: AgentError, *, since: float, limit: float) -> str:
        if math.isinf(limit):
            return f"publishing waits: {error}"
        waited = self._clock() - since
        return self._wait_message(self._subject, error, since=since, waited=waited, limit=int(limit))

    @property
    def _subject(self) -> str:
        return "the finished output" if self._state.current.runner_state is RunnerState.COMPLETED else "the output"

    def _finish_with(self, failure: Failure | None) -> None:
        """Record the result, write the acknowledgement for the runner, and set `finished`."""
        if failure is None:
            self._state.set_published(self._publisher.published)
        elif self._state.current.runner_state is RunnerState.COMPLETED:
            self._state.set_failure(failure)
        else:  # the runner's own state is kept
            self._state.set_published(self._publisher.published)
        self._log("publishing ended", published=failure is None, reason=failure.reason if failure else None)
        self._acknowledge(Acknowledgement(uid=self._plan.job.uid, published=failure is None, failure=failure))
        self.finished.set()

    def _acknowledge(self, acknowledgement: Acknowledgement) -> None:
        text = acknowledgement.model_dump_json(by_alias=True, exclude_none=True)
        try:
            with SafeDirectory.open(Path(self._plan.io_path)) as io, io.atomic_writer(ACKNOWLEDGEMENT_FILE) as file:
                file.write(text.encode())
        except (OSError, AgentError) as error:
            self._log("acknowledgement not written", message=str(error))

"""
When to publish what, from the first frame to the acknowledgement.

    runner works         frames that have settled, again and again, and each new checkpoint; trouble is waited out
    COMPLETED            everything, then the manifest; a foreign runner's files must settle first, or it be gone
    FAILED               the newest checkpoint with its frames, everything, no manifest
    gone without either  the newest checkpoint with its frames, then the other frames, once

Our own runner stays until it is acknowledged, so a finished output waits `publishSeconds` for its store, whatever the
store says: somebody may bring it back, make room, put keys right. What no waiting mends ends it at once. A foreign
runner, or one that has failed, ends when it likes; nothing is given up before, and after it half of the grace period
counts.
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
"""No waiting mends these: the runner's own files, and another job's manifest."""


class PublishLoop:
    """Steps through the life of one job's output; `over` is set when there is nothing more to do."""

    def __init__(
        self,
        plan: JobPlan,
        publisher: Publisher,
        board: SharedState,
        carrier: CheckpointUploader,
        *,
        events: JsonLog,
        clock: Callable[[], float] = time.monotonic,
        words: WaitMessage | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.over = threading.Event()
        self._plan = plan
        self._publisher = publisher
        self._board = board
        self._carrier = carrier
        self._events = events
        self._clock = clock
        self._words = words or WaitMessage()
        self._backoff = backoff or Backoff()
        self._checked_for_manifest = False
        self._started_at: dict[str, float] = {}
        """When it was first noticed that the runner has COMPLETED, that it is gone, that there is trouble."""
        self._stored = Published()
        """What was stored when there was trouble last."""

    def run(self) -> None:
        """Steps until it is over or the board is closed; for a thread of its own."""
        while not (self.over.is_set() or self._board.is_closed):
            known = self._board.current
            pause = self.run_once()
            self._sleep(known, until=self._clock() + pause)

    def _sleep(self, known: AgentState, *, until: float) -> None:
        """Waits for time to pass, or for another word of the runner; other news are no reason to list files again."""
        while not self.over.is_set() and not self._board.is_closed and (left := until - self._clock()) > 0:
            seen = self._board.current
            if (seen.runner_state, seen.runner_exited) != (known.runner_state, known.runner_exited):
                return
            self._board.wait_for_change(seen, timeout=left)

    def run_once(self) -> float:
        """Does what can be done now; seconds until there may be more."""
        began = self._clock()
        known = self._board.current
        if known.runner_exited:
            self._started_at.setdefault("gone", began)
        if known.runner_state is RunnerState.COMPLETED:
            self._started_at.setdefault("done", began)
        try:
            self._publish(known)
        except AgentError as error:
            return self._handle_error(error)
        self._started_at.pop("trouble", None)
        self._backoff.reset()
        self._board.set_published(self._publisher.published)
        return max(POLL_SECONDS, 10 * (self._clock() - began))  # listing many files must not eat the pod's CPU

    def _publish(self, known: AgentState) -> None:
        if not self._checked_for_manifest and self._publisher.adopt_manifest():
            self._finish()
        self._checked_for_manifest = True
        if self.over.is_set():
            return
        if known.runner_state is RunnerState.COMPLETED:
            self._complete(known, runner_done=known.runner_exited or not self._plan.custom_runner)
        elif known.runner_state is RunnerState.FAILED:
            self._upload_checkpoint()
            self._publisher.sync_all(only_stable=False)
            self._finish_with(Failure(reason="RunnerFailed", message="the runner has failed; its frames are published"))
        elif known.runner_exited:
            self._upload_checkpoint()  # first, since the next attempt lives on it, and the grace period may be short
            self._publisher.sync_frames(only_stable=False)
            self._finish_with(Failure(reason="RunnerInterrupted", message="the runner ended before it was done"))
        else:
            self._publisher.sync_frames(only_stable=True)
            self._upload_checkpoint()

    def _upload_checkpoint(self) -> None:
        """Brings the newest checkpoint to the output, after the frames that it counts on."""
        found = self._carrier.newest()
        if found is None:
            return
        frames = self._publisher.sync_frames_up_to(found.marker.frames)
        if frames is not None:
            self._carrier.upload(found, frames)

    def _complete(self, known: AgentState, *, runner_done: bool) -> None:
        """Publishes all and commits; `runner_done`: nothing is being written any more."""
        if not self._publisher.sync_all(only_stable=not runner_done):
            return
        if self._publisher.has_video:
            self._publisher.commit(known.versions)
            self._finish()
        elif runner_done:
            raise NoVideo("the runner says COMPLETED, but there is no mp4 with anything in it in output/")

    def _finish(self) -> None:
        """All is published, and nothing will be gone on from; the runner need not wait for that to be removed."""
        self._finish_with(None)
        self._carrier.delete_all()

    def _handle_error(self, error: AgentError) -> float:
        """What an error means now: give up, or seconds to wait."""
        now, stored = self._clock(), self._publisher.published
        if stored != self._stored:  # the store took something in between: another wait begins
            self._started_at["trouble"], self._stored = now, stored
        self._events("publishing failed", reason=error.failure.reason, message=str(error))
        began, limit = self._wait(error, self._started_at.setdefault("trouble", now))
        if limit == 0:
            self._finish_with(error.failure)
        elif now - began >= limit:
            self._finish_with(error.with_context(f"{self._subject} waited for {format_duration(int(limit))}").failure)
        else:
            self._board.set_warning(self._told(error, began=began, limit=limit))
            return min(self._backoff.next_delay(), began + limit - now)
        return 0

    def _wait(self, error: AgentError, trouble: float) -> tuple[float, float]:
        """When the wait for an error to be mended has begun, and how many seconds it may last; 0: nobody can."""
        is_final = isinstance(error, FINAL_ERRORS)
        if "gone" in self._started_at:
            is_worth_it = isinstance(error, TransientError) or self._board.current.runner_state is RunnerState.COMPLETED
            return self._started_at["gone"], self._plan.flush_seconds if is_worth_it and not is_final else 0
        if "done" not in self._started_at or self._plan.custom_runner:
            return trouble, math.inf
        return max(self._started_at["done"], trouble), 0 if is_final else self._plan.publish_seconds

    def _told(self, error: AgentError, *, began: float, limit: float) -> str:
        if math.isinf(limit):
            return f"publishing waits: {error}"
        waited = self._clock() - began
        return self._words(self._subject, error, began=began, waited=waited, limit=int(limit))

    @property
    def _subject(self) -> str:
        return "the finished output" if self._board.current.runner_state is RunnerState.COMPLETED else "the output"

    def _finish_with(self, failure: Failure | None) -> None:
        """The last thing that happens: the board and a waiting runner are told."""
        if failure is None:
            self._board.set_published(self._publisher.published)
        elif self._board.current.runner_state is RunnerState.COMPLETED:
            self._board.set_failure(failure)
        else:  # the runner's own word stands
            self._board.set_published(self._publisher.published)
        self._events("publishing ended", published=failure is None, reason=failure.reason if failure else None)
        self._acknowledge(Acknowledgement(uid=self._plan.job.uid, published=failure is None, failure=failure))
        self.over.set()

    def _acknowledge(self, word: Acknowledgement) -> None:
        text = word.model_dump_json(by_alias=True, exclude_none=True)
        try:
            with SafeDirectory.open(Path(self._plan.io_path)) as io, io.atomic_writer(ACKNOWLEDGEMENT_FILE) as file:
                file.write(text.encode())
        except (OSError, AgentError) as error:
            self._events("acknowledgement not written", message=str(error))

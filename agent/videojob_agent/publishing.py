"""
When to publish what, from the first frame to the acknowledgement.

    runner works         frames that have settled, again and again, and each new checkpoint; trouble is waited out
    COMPLETED            everything, then the manifest; a foreign runner's files must settle first, or it be gone
    FAILED               the newest checkpoint with its frames, everything, no manifest
    gone without either  the newest checkpoint with its frames, then the other frames, once

Our own runner stays until it is acknowledged, so trouble after COMPLETED may take minutes; once the runner is gone, the
grace period counts. Refusals that a person can mend at once (keys) get a short while, all others none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from videojob_api.contract_status import StatusWord
from videojob_api.layout import ACKNOWLEDGEMENT
from videojob_api.plan import Plan
from videojob_api.report import Acknowledgement, Failure

from videojob_agent.backoff import Backoff
from videojob_agent.board import Board, Known
from videojob_agent.carrying import Carrier
from videojob_agent.errors import AgentError, CredentialsRefused, NoVideo, Trouble
from videojob_agent.events import Events
from videojob_agent.folder import Folder
from videojob_agent.publisher import Publisher

POLL_SECONDS = 1.0
TROUBLE_SECONDS = 600.0
"""How long a finished video waits for a store that is away, while our runner holds the pod."""
KEYS_SECONDS = 120.0
"""How long for keys to be put right: the kubelet brings a changed Secret within about 90 s."""

_FINAL = (StatusWord.COMPLETED, StatusWord.FAILED)


class Publishing:
    """Steps through the life of one job's output; `over` is set when there is nothing more to do."""

    def __init__(
        self,
        plan: Plan,
        publisher: Publisher,
        board: Board,
        carrier: Carrier,
        *,
        events: Events,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.over = threading.Event()
        self._plan = plan
        self._publisher = publisher
        self._board = board
        self._carrier = carrier
        self._events = events
        self._clock = clock
        self._backoff = Backoff()
        self._looked = False
        self._since: dict[str, float] = {}
        """When it was first noticed that the runner is done, that it is gone, that there is trouble."""

    def run(self) -> None:
        """Steps until it is over or the board is closed; for a thread of its own."""
        while not (self.over.is_set() or self._board.is_closed):
            known = self._board.known
            pause = self.step()
            self._rest(known, until=self._clock() + pause)

    def _rest(self, known: Known, *, until: float) -> None:
        """Waits for time to pass, or for another word of the runner; other news are no reason to list files again."""
        while not self.over.is_set() and not self._board.is_closed and (left := until - self._clock()) > 0:
            seen = self._board.known
            if (seen.word, seen.is_gone) != (known.word, known.is_gone):
                return
            self._board.wait(seen, timeout=left)

    def step(self) -> float:
        """Does what can be done now; seconds until there may be more."""
        began = self._clock()
        known = self._board.known
        if known.is_gone:
            self._since.setdefault("gone", began)
        if known.word in _FINAL:
            self._since.setdefault("done", began)
        try:
            self._publish(known)
        except AgentError as error:
            return self._after(error)
        self._since.pop("trouble", None)
        self._backoff.reset()
        self._board.stored(self._publisher.published)
        return max(POLL_SECONDS, 10 * (self._clock() - began))  # listing many files must not eat the pod's CPU

    def _publish(self, known: Known) -> None:
        if not self._looked and self._publisher.adopt():
            self._finish()
        self._looked = True
        if self.over.is_set():
            return
        if known.word is StatusWord.COMPLETED:
            self._complete(known, sure=known.is_gone or not self._plan.foreign)
        elif known.word is StatusWord.FAILED:
            self._carry()
            self._publisher.sync_all(settled=False)
            self._end(Failure(reason="RunnerFailed", message="the runner has failed; its frames are published"))
        elif known.is_gone:
            self._carry()  # first, since the next attempt lives on it, and the grace period may be short
            self._publisher.sync_frames(settled=False)
            self._end(Failure(reason="RunnerInterrupted", message="the runner ended before it was done"))
        else:
            self._publisher.sync_frames(settled=True)
            self._carry()

    def _carry(self) -> None:
        """Brings the newest checkpoint to the output, after the frames that it counts on."""
        found = self._carrier.newest()
        if found is None:
            return
        frames = self._publisher.sync_first(found.marker.frames)
        if frames is not None:
            self._carrier.carry(found, frames)

    def _complete(self, known: Known, *, sure: bool) -> None:
        """Publishes all and commits; `sure`: nothing is being written any more."""
        if not self._publisher.sync_all(settled=not sure):
            return
        if self._publisher.has_video:
            self._publisher.commit(known.versions)
            self._finish()
        elif sure:
            raise NoVideo("the runner says COMPLETED, but there is no mp4 with anything in it in output/")

    def _finish(self) -> None:
        """All is published: nothing will be gone on from."""
        self._carrier.drop()
        self._end(None)

    def _after(self, error: AgentError) -> float:
        """What an error means now: give up, or seconds to wait."""
        self._since.setdefault("trouble", self._clock())
        self._events("publishing failed", reason=error.failure.reason, message=str(error))
        if self._is_hopeless(error):
            self._end(error.failure)
            return 0
        self._board.troubled(f"publishing waits: {error}")
        return self._backoff.failed()

    def _is_hopeless(self, error: AgentError) -> bool:
        """Whether there is no use in trying again, or nobody left to try for."""
        now, word = self._clock(), self._board.known.word
        if "gone" in self._since:
            flushing = now - self._since["gone"] < self._plan.flush_seconds
            return word is not StatusWord.COMPLETED or not flushing or not isinstance(error, Trouble)
        if "done" not in self._since:
            return False
        tried = now - max(self._since["done"], self._since["trouble"])
        longest = TROUBLE_SECONDS if isinstance(error, Trouble) else KEYS_SECONDS
        return tried >= longest or not isinstance(error, Trouble | CredentialsRefused)

    def _end(self, failure: Failure | None) -> None:
        """The last thing that happens: the board and a waiting runner are told."""
        if failure is None:
            self._board.stored(self._publisher.published)
        elif self._board.known.word is StatusWord.COMPLETED:
            self._board.gave_up(failure)
        else:  # the runner's own word stands
            self._board.stored(self._publisher.published)
        self._events("publishing ended", published=failure is None, reason=failure.reason if failure else None)
        self._acknowledge(Acknowledgement(uid=self._plan.job.uid, published=failure is None, failure=failure))
        self.over.set()

    def _acknowledge(self, word: Acknowledgement) -> None:
        text = word.model_dump_json(by_alias=True, exclude_none=True)
        try:
            with Folder.open(Path(self._plan.io_path)) as io, io.replacing(ACKNOWLEDGEMENT) as file:
                file.write(text.encode())
        except (OSError, AgentError) as error:
            self._events("acknowledgement not written", message=str(error))

"""
STATUS and STATUS.json as the runner writes them.

STATUS is one line in the contract's grammar, replaced by renaming, so that a reader sees the old line or the new one.
STATUS.json repeats the line and says more; it is replaced first, so that whoever sees a final word finds its reason.

Percent is ⌊100·i/N⌋ for the 0-based number i of the unit just finished: it starts at 0 and reaches 100 only as
COMPLETED. The remaining time comes from the pace of the latest reports; the first report starts the clock, so loading
models is not taken for work, and a resumed run is judged by its own pace.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from videojob_api.contract.layout import STATUS, STATUS_JSON
from videojob_api.contract.manifest import ManifestArtifact
from videojob_api.contract.status import RunnerState, StatusDetails, StatusLine
from videojob_api.messages.report import Failure

from videojob_runner.atomic import write_atomically
from videojob_runner.errors import RunnerError

HEARTBEAT_SECONDS = 1.0
"""A line that says the same as the last one is written at most this often."""

UNKNOWN_UID = "unknown"
"""Stands where the uid belongs when config.json holds none."""

Clock = Callable[[], float]


@dataclass(slots=True)
class EtaEstimator:
    """Seconds for each unit of work, from the latest reports."""

    clock: Clock
    _seen: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=64))

    def seconds_left(self, *, done: int, total: int) -> int | None:
        """Whole seconds until `total` units are done, now that `done` are; None for the first report."""
        self._seen.append((self.clock(), done))
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return None if last <= first else math.floor((now - began) / (last - first) * (total - done))


class StatusWriter:
    """Writes the two files of one run below `root`. `versions` may grow until the end; each write repeats it."""

    def __init__(self, root: Path, *, clock: Clock = time.monotonic) -> None:
        self.uid = UNKNOWN_UID
        self.versions: dict[str, str] = {}
        self.frames_done: Callable[[], int] | None = None
        """Asked at each write, when set; so is `frames_total`."""
        self.artifacts: Callable[[], Sequence[ManifestArtifact]] = tuple
        """Asked at each write, too."""
        self.frames_total: int | None = None
        self._root = root
        self._clock = clock
        self._pace = EtaEstimator(clock)
        self._line = StatusLine(state=RunnerState.STARTING, uid=self.uid)
        self._message = ""
        self._working_phase = "running"
        self._metrics: dict[str, float] = {}
        self._written = -math.inf

    def starting(self, uid: str) -> None:
        """The first line of a run; whatever an earlier run has left is gone with it."""
        self.uid = uid
        self._write(StatusLine(state=RunnerState.STARTING, uid=uid), phase="starting")

    def progress(self, done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
        """`done` of `total` equal units of work are finished, 1 ≤ done ≤ total (`engine.api.ProgressCallback`)."""
        if not 1 <= done <= total:
            raise RunnerError(f"progress must be within 1…total, not {done} of {total}")
        line = StatusLine(
            state=RunnerState.IN_PROGRESS,
            uid=self.uid,
            percent=100 * (done - 1) // total,
            eta_seconds=self._pace.seconds_left(done=done, total=total),
        )
        self._message = message
        self._metrics.update({name: value for name, value in (metrics or {}).items() if math.isfinite(value)})
        if line != self._line or self._clock() - self._written >= HEARTBEAT_SECONDS:
            self._write(line, phase=self._working_phase)

    def begin_task(self, phase: str) -> None:
        """Tells from now on, while units of work are finished, `running` or what else a task is doing."""
        self._working_phase = phase
        if phase != "running":
            self.phase(phase)

    def phase(self, phase: str) -> None:
        """Tells `checkpointing` or `encoding`, under the line that stands."""
        self._write(self._line, phase=phase)

    def completed(self, video: str) -> None:
        """The last line of a good run; `video` is the mp4's file name, which must exist by now."""
        self._write(StatusLine(state=RunnerState.COMPLETED, uid=self.uid, video=video), phase="finished")

    def failed(self, failure: Failure) -> None:
        """The last line of a bad run; the reason stands in STATUS.json."""
        self._write(StatusLine(state=RunnerState.FAILED, uid=self.uid), phase="finished", failure=failure)

    def _write(self, line: StatusLine, *, phase: str, failure: Failure | None = None) -> None:
        details = StatusDetails(
            line=str(line),
            uid=self.uid,
            state=line.state,
            phase=phase,
            frames_done=self.frames_done() if self.frames_done else None,
            frames_total=self.frames_total,
            eta_seconds=line.eta_seconds,
            message=self._message[:256],
            metrics=self._metrics,
            versions=self.versions,
            artifacts=list(self.artifacts()),
            failure=failure,
        )
        write_atomically(self._root / STATUS_JSON, details.model_dump_json(by_alias=True, exclude_none=True))
        write_atomically(self._root / STATUS, str(line))
        self._line, self._written = line, self._clock()

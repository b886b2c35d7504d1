"""
Checkpoints: folders that an engine writes into and that count only when they are complete.

A checkpoint is written beside its place, gets a file `complete` last, and is renamed; two generations are kept, so a
crash while writing loses at most one interval. `complete` says whose it is: a checkpoint of another uid or another
configuration is not offered, and goes when the run starts. It also says how many frames the checkpoint counts on: the
agent carries both to the output, and the next attempt may find them on another disk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from videojob_api.contract.checkpoint import GENERATIONS_KEPT, MARKER_FILE, CheckpointMarker

from videojob_runner.engine.api import StopSignal
from videojob_runner.errors import Interrupted

DEFAULT_INTERVAL_SECONDS = 300.0
STEPS_PER_TASK = 10**9
"""Step s of a job's task i (0-based) is saved as step i · 10⁹ + s, so that later tasks sort later."""

_PREFIX = "step-"


@dataclass(kw_only=True, slots=True)
class CheckpointStore:
    """The checkpoints of one job in `folder` (`engine.api.Checkpointer`)."""

    folder: Path
    uid: str
    digest: str
    stop: StopSignal
    clock: Callable[[], float]
    before_save: Callable[[], None] = lambda: None
    """Called before each save: frames that the checkpoint counts on must be on disk."""
    count_frames: Callable[[], int] = lambda: 0
    """Asked after that: how many frames there are."""
    add_files: Callable[[Path], None] = lambda folder: None
    """Called with the folder of each checkpoint once its engine has written it: adds what else the next run needs."""
    versions: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    """Recorded in each marker, so that a resumed run goes on with a seed that was drawn."""
    interval: float = DEFAULT_INTERVAL_SECONDS
    _last: float | None = None

    def latest(self) -> Path | None:
        """The newest complete checkpoint of this uid and configuration."""
        found = self._complete()
        return found[-1][0] if found else None

    def latest_marker(self) -> CheckpointMarker | None:
        """What its `complete` says."""
        found = self._complete()
        return found[-1][1] if found else None

    def maybe_save(self, step: int, write: Callable[[Path], None], /) -> None:
        """Saves when the interval is over or the run shall stop, and then raises Interrupted; see `engine`."""
        stopping = self.stop.is_set()
        if self._last is None:
            self._last = self.clock()
        if stopping or self.clock() - self._last >= self.interval:
            self.save(step, write)
            self._last = self.clock()
        if stopping:
            raise Interrupted(f"stopped after step {step % STEPS_PER_TASK}, which is saved")

    def save(self, step: int, write: Callable[[Path], None]) -> Path:
        """Keeps what `write` puts into an empty folder as the checkpoint of `step`; drops the third oldest."""
        self.before_save()
        part = self.folder / f".{_PREFIX}{step:012}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        write(part)
        self.add_files(part)
        (part / MARKER_FILE).write_text(self._marker(step).model_dump_json(), encoding="utf-8")
        _sync(part)
        place = self.folder / f"{_PREFIX}{step:012}"
        shutil.rmtree(place, ignore_errors=True)
        part.replace(place)
        for old, _ in self._complete()[:-GENERATIONS_KEPT]:
            shutil.rmtree(old)
        return place

    def clear(self) -> None:
        """Removes all checkpoints."""
        for path, _ in self._complete():
            shutil.rmtree(path)

    def remove_stale(self) -> None:
        """Removes whatever is not a complete checkpoint of this uid and configuration."""
        ours = {path for path, _ in self._complete()}
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path not in ours and path.name.lstrip(".").startswith(_PREFIX):
                shutil.rmtree(path)

    def _marker(self, step: int) -> CheckpointMarker:
        return CheckpointMarker(
            uid=self.uid,
            digest=self.digest,
            step=step,
            seed=self.seed,
            frames=self.count_frames(),
            versions=self.versions,
        )

    def _complete(self) -> list[tuple[Path, CheckpointMarker]]:
        """Complete checkpoints of this job, oldest first."""
        candidates = sorted(self.folder.glob(f"{_PREFIX}*"))
        found = [(path, marker) for path in candidates if (marker := _read_marker(path)) is not None]
        return [(path, marker) for path, marker in found if (marker.uid, marker.digest) == (self.uid, self.digest)]


def _read_marker(path: Path) -> CheckpointMarker | None:
    try:
        return CheckpointMarker.model_validate_json((path / MARKER_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def _sync(folder: Path) -> None:
    """Forces a folder's files to the disk: `complete` must not outlive what it vouches for."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())

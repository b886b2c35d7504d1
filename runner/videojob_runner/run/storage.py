"""Where a run keeps what it makes: frames, checkpoints, artifacts, and what stays between its attempts."""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from videojob_runner.contract.checkpoints import DEFAULT_INTERVAL_SECONDS, STEPS_PER_TASK, CheckpointStore
from videojob_runner.engine.api import Checkpointer, FrameSink, StopSignal
from videojob_runner.media.frames import FrameWriter, RgbImage, clear_frames, read_frame
from videojob_runner.run.artifacts import ArtifactFolder
from videojob_runner.versions import describe_differences

log = logging.getLogger(__name__)

SEED_BITS: Final = 53
"""Of a drawn seed: every JSON reader keeps such a number whole."""
OWNER_FILE: Final = "owner"
"""In the folder `work`: the uid of the job that it is of."""


class JobCheckpoints(Checkpointer, Protocol):
    """The checkpoints of all tasks of a job."""

    def clear(self) -> None:
        """Removes all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolders:
    """The folders of one run."""

    inputs: Path
    frames: Path
    artifacts: Path
    work: Path
    """Stays between attempts."""
    scratch: Path
    """Removed when the attempt ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStorage:
    """What one attempt works with."""

    folders: RunFolders
    frames: FrameSink
    count_frames: Callable[[], int]
    read_frame: Callable[[int], RgbImage]
    """Gives back frame `index` (0-based)."""
    checkpoints: JobCheckpoints
    artifacts: ArtifactFolder
    seed: int


def open_checkpoints(
    folder: Path,
    *,
    uid: str,
    digest: str,
    seed: int | None,
    stop: StopSignal,
    clock: Callable[[], float],
    versions: dict[str, str] | None = None,
    interval: float = DEFAULT_INTERVAL_SECONDS,
) -> CheckpointStore:
    """The checkpoints of a run, with the seed of the one that it continues, or `seed`, or a new one."""
    versions = {} if versions is None else versions
    store = CheckpointStore(
        folder=folder, uid=uid, digest=digest, stop=stop, clock=clock, versions=versions, interval=interval
    )
    store.remove_stale()
    newest = store.latest_marker()
    if newest is None:
        store.seed = resolve_seed(seed)
        return store
    log.info("going on after step %d", newest.step % STEPS_PER_TASK)
    if changed := describe_differences(newest.versions, versions):
        log.warning("frames may differ from those of a run that was left alone: %s", "; ".join(changed))
    store.seed = newest.seed
    return store


def resolve_seed(seed: int | None) -> int:
    """The configuration's seed, 0 included, or a new one."""
    return secrets.randbits(SEED_BITS) if seed is None else seed


@contextmanager
def open_storage(
    folders: RunFolders, checkpoints: CheckpointStore, *, total: int, before_save: Callable[[], None] = lambda: None
) -> Iterator[RunStorage]:
    """
    Opens the folders for one attempt that makes at most `total` frames.

    Frames of earlier runs are removed unless a checkpoint counts on them. Before each checkpoint all frames are brought
    to the disk and `before_save` is called.
    """
    if checkpoints.latest() is None:
        clear_frames(folders.frames)
    folders.work.mkdir(parents=True, exist_ok=True)
    try:
        with FrameWriter(folders.frames, total=total) as frames:

            def flush() -> None:
                frames.flush()
                before_save()

            checkpoints.before_save, checkpoints.count_frames = flush, lambda: frames.count
            yield RunStorage(
                folders=folders,
                frames=frames,
                count_frames=lambda: frames.count,
                read_frame=lambda index: read_frame(frames.path(index)),
                checkpoints=checkpoints,
                artifacts=ArtifactFolder(folders.artifacts),
                seed=checkpoints.seed,
            )
    finally:
        shutil.rmtree(folders.scratch, ignore_errors=True)
        remove_if_empty(folders.work)


def remove_if_empty(folder: Path) -> None:
    """Removes a folder in which nothing lies."""
    if not any(folder.iterdir()):
        folder.rmdir()


def claim_work(folder: Path, *, uid: str) -> None:
    """Makes the folder `work` that of the job `uid`; what another job left there is removed."""
    mark = folder / OWNER_FILE
    if not mark.is_file() or mark.read_text(encoding="utf-8") != uid:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(uid, encoding="utf-8")

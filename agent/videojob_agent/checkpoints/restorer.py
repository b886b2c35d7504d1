"""
Brings back what an earlier attempt has left at the output: a checkpoint, and the frames that it counts on (VJ-48).

Everything is checked against the index while it streams, and lies aside until all of it is right; then the frames get
their place, and the checkpoint last. The newest checkpoint wins that is whole, its frames included; where none is, the
attempt begins anew and says so. Leftovers never fail a job: only a store that is away or a full disk does. A store that
refuses to give out what the index lists has not damaged it: keys that have run out in the middle are waited for.

What turned out to be damaged leaves the index before anything gets its place. The agent, which starts earlier, reads
the index only when it sees a frame, and takes what stands there for stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile

from videojob_api.contract.checkpoint import PublishedCheckpoint
from videojob_api.contract.layout import CHECKPOINTS, FRAMES
from videojob_api.contract.manifest import ManifestFile
from videojob_api.messages.plan import JobPlan

from videojob_agent.checkpoints.index import CheckpointIndexFile
from videojob_agent.errors import BucketNotFound, CheckpointRefused, CredentialsRefused, PermanentError, StorageRefused
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_agent.files.scratch import translate_scratch_errors
from videojob_agent.files.verify import verify_stream
from videojob_agent.json_log import JsonLog
from videojob_agent.stores import Store

STAGING_FOLDER = ".videojob/restored"
MAX_PARALLEL_DOWNLOADS = 8
"""Files brought side by side: frames are many and small."""
FRAME_PATTERN = re.compile(r"frames/[0-9]{5,}\.png")


class CheckpointRestorer:
    """One job's, into its IO folder."""

    def __init__(self, plan: JobPlan, store: Store, io: SafeDirectory, *, events: JsonLog) -> None:
        self._carried = CheckpointIndexFile(store, plan.job.uid, events=events)
        self._wanted = plan.publishes_checkpoints
        self._io = io
        self._events = events
        self._aside: set[str] | None = None
        """What lies aside and is right; None when nothing is."""

    def restore(self) -> int | None:
        """Does it; the step that the attempt goes on after, None when it begins anew. Raises AgentError."""
        if not self._wanted or not self._carried.load.checkpoints:
            return None
        with translate_scratch_errors():
            self._begin()
            frames = self._carried.load.frames
            whole = self._download_frames(frames)
            checkpoint = next(self._intact_checkpoints(whole), None)
            self._rewrite_index(checkpoint, frames[:whole])
            if checkpoint:
                self._commit(checkpoint, surplus=frames[checkpoint.frames :])
            self._io.remove_tree(STAGING_FOLDER)
        if checkpoint is None:
            self._events("beginning anew", message="no checkpoint at the output is whole")
            return None
        self._events("going on", step=checkpoint.step, frames=checkpoint.frames)
        return checkpoint.step

    def _begin(self) -> None:
        """The first try begins with nothing; the next one, after a store was away, goes on with what has come."""
        if self._aside is None:
            self._io.remove_tree(STAGING_FOLDER)
            self._aside = set()

    def _download_frames(self, frames: list[ManifestFile]) -> int:
        """Brings every frame that any checkpoint counts on; how many have come well, from the first on."""
        with ThreadPoolExecutor(MAX_PARALLEL_DOWNLOADS, thread_name_prefix="restore") as pool:
            return sum(1 for _ in takewhile(bool, pool.map(self._bring_frame, frames)))

    def _intact_checkpoints(self, frames: int) -> Iterator[PublishedCheckpoint]:
        """The checkpoints that can be gone on from, newest first."""
        for checkpoint in self._carried.load.checkpoints:
            if checkpoint.frames > frames:
                self._log_skipped(checkpoint, f"it counts on {checkpoint.frames} frames, of which {frames} are whole")
            elif all(self._download_file(checkpoint, file) for file in checkpoint.files):
                yield checkpoint

    def _bring_frame(self, file: ManifestFile) -> bool:
        return FRAME_PATTERN.fullmatch(file.path) is not None and self._download(file, file.path, to=file.path) is None

    def _download_file(self, checkpoint: PublishedCheckpoint, file: ManifestFile) -> bool:
        name = self._carried.object_name(checkpoint, file)
        fault = self._download(file, name, to=f"{checkpoint.folder}/{file.path}")
        if fault:
            self._log_skipped(checkpoint, f"{file.path}: {fault}")
        return fault is None

    def _download(self, file: ManifestFile, name: str, *, to: str) -> PermanentError | None:
        """Brings one file aside; what is wrong with it. Raises Trouble, and OSError for the IO folder."""
        aside = self._aside if self._aside is not None else set()
        if to in aside:
            return None
        try:
            with self._io.atomic_writer(f"{STAGING_FOLDER}/{to}") as target:
                for chunk in verify_stream(self._carried.store.read(name), size=file.size, sha256=file.sha256):
                    target.write(chunk)
        except (BucketNotFound, CredentialsRefused, StorageRefused) as error:
            raise CheckpointRefused(f"{name}: {error}") from error
        except PermanentError as error:
            return error
        aside.add(to)
        return None

    def _rewrite_index(self, checkpoint: PublishedCheckpoint | None, frames: list[ManifestFile]) -> None:
        """Takes what is damaged, and what counts on it, out of the index."""
        index = self._carried.load
        left = index.checkpoints[index.checkpoints.index(checkpoint) :] if checkpoint else []
        if (left, frames) != (index.checkpoints, index.frames):
            self._carried.write(left, frames)

    def _commit(self, checkpoint: PublishedCheckpoint, *, surplus: list[ManifestFile]) -> None:
        """Gives the frames and the checkpoint their places."""
        self._aside = None
        for file in surplus:
            self._io.remove(f"{STAGING_FOLDER}/{file.path}")
        if checkpoint.frames:
            self._io.move(f"{STAGING_FOLDER}/frames", FRAMES)
        self._io.move(f"{STAGING_FOLDER}/{checkpoint.folder}", f"{CHECKPOINTS}/{checkpoint.folder}")

    def _log_skipped(self, checkpoint: PublishedCheckpoint, why: str) -> None:
        self._events("checkpoint passed over", step=checkpoint.step, message=why)

"""
Restores what an earlier attempt has stored at the output: a checkpoint and the frames it depends on (VJ-48).

Files are verified against the index while downloading, into a staging folder; when all are valid, frames are moved into
place first and the checkpoint last. The newest intact checkpoint wins, its frames included; without one the attempt
starts from scratch and logs it. Damaged checkpoints never fail a job; only an unavailable store or a full disk does. A
store that refuses to serve a file that the index lists has not damaged it: expired credentials are waited for.

Damaged checkpoints are removed from the index before anything is moved into place. The agent, which starts earlier,
reads the index only when it sees a frame, and takes the listed files for stored.
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
"""Files downloaded in parallel: frames are many and small."""
FRAME_PATTERN = re.compile(r"frames/[0-9]{5,}\.png")


class CheckpointRestorer:
    """Restores the checkpoint of one job into its IO folder."""

    def __init__(self, plan: JobPlan, store: Store, io: SafeDirectory, *, log: JsonLog) -> None:
        self._index = CheckpointIndexFile(store, plan.job.uid, log=log)
        self._enabled = plan.publishes_checkpoints
        self._io = io
        self._log = log
        self._staged: set[str] | None = None
        """Names of valid files in the staging folder; None before the first try and after the commit."""

    def restore(self) -> int | None:
        """
        Restore the newest intact checkpoint and return its step; None if the attempt starts from scratch.

        Raises AgentError.
        """
        if not self._enabled or not self._index.index.checkpoints:
            return None
        with translate_scratch_errors():
            self._begin()
            frames = self._index.index.frames
            intact = self._download_frames(frames)
            checkpoint = next(self._intact_checkpoints(intact), None)
            self._rewrite_index(checkpoint, frames[:intact])
            if checkpoint:
                self._commit(checkpoint, surplus=frames[checkpoint.frames :])
            self._io.remove_tree(STAGING_FOLDER)
        if checkpoint is None:
            self._log("starting from scratch", message="no complete checkpoint was found at the output")
            return None
        self._log("resuming", step=checkpoint.step, frames=checkpoint.frames)
        return checkpoint.step

    def _begin(self) -> None:
        """Empty the staging folder at the first try; a retry keeps the files that were downloaded."""
        if self._staged is None:
            self._io.remove_tree(STAGING_FOLDER)
            self._staged = set()

    def _download_frames(self, frames: list[ManifestFile]) -> int:
        """Download every frame that a checkpoint depends on; return the number of leading intact frames."""
        with ThreadPoolExecutor(MAX_PARALLEL_DOWNLOADS, thread_name_prefix="restore") as pool:
            return sum(1 for _ in takewhile(bool, pool.map(self._download_frame, frames)))

    def _intact_checkpoints(self, frames: int) -> Iterator[PublishedCheckpoint]:
        """Yield the checkpoints that can be resumed from, newest first."""
        for checkpoint in self._index.index.checkpoints:
            if checkpoint.frames > frames:
                self._log_skipped(checkpoint, f"it needs {checkpoint.frames} frames, of which {frames} are intact")
            elif all(self._download_file(checkpoint, file) for file in checkpoint.files):
                yield checkpoint

    def _download_frame(self, file: ManifestFile) -> bool:
        return FRAME_PATTERN.fullmatch(file.path) is not None and self._download(file, file.path, to=file.path) is None

    def _download_file(self, checkpoint: PublishedCheckpoint, file: ManifestFile) -> bool:
        name = self._index.object_name(checkpoint, file)
        problem = self._download(file, name, to=f"{checkpoint.folder}/{file.path}")
        if problem:
            self._log_skipped(checkpoint, f"{file.path}: {problem}")
        return problem is None

    def _download(self, file: ManifestFile, name: str, *, to: str) -> PermanentError | None:
        """
        Download one file into the staging folder; return what is wrong with it, None if it is valid.

        Raises TransientError, and OSError for the IO folder.
        """
        staged = self._staged if self._staged is not None else set()
        if to in staged:
            return None
        try:
            with self._io.atomic_writer(f"{STAGING_FOLDER}/{to}") as target:
                for chunk in verify_stream(self._index.store.read(name), size=file.size, sha256=file.sha256):
                    target.write(chunk)
        except (BucketNotFound, CredentialsRefused, StorageRefused) as error:
            raise CheckpointRefused(f"{name}: {error}") from error
        except PermanentError as error:
            return error
        staged.add(to)
        return None

    def _rewrite_index(self, checkpoint: PublishedCheckpoint | None, frames: list[ManifestFile]) -> None:
        """Remove damaged files, and the checkpoints that depend on them, from the index."""
        index = self._index.index
        remaining = index.checkpoints[index.checkpoints.index(checkpoint) :] if checkpoint else []
        if (remaining, frames) != (index.checkpoints, index.frames):
            self._index.write(remaining, frames)

    def _commit(self, checkpoint: PublishedCheckpoint, *, surplus: list[ManifestFile]) -> None:
        """Move the frames, and then the checkpoint, into place."""
        self._staged = None
        for file in surplus:
            self._io.remove(f"{STAGING_FOLDER}/{file.path}")
        if checkpoint.frames:
            self._io.move(f"{STAGING_FOLDER}/frames", FRAMES)
        self._io.move(f"{STAGING_FOLDER}/{checkpoint.folder}", f"{CHECKPOINTS}/{checkpoint.folder}")

    def _log_skipped(self, checkpoint: PublishedCheckpoint, reason: str) -> None:
        self._log("checkpoint skipped", step=checkpoint.step, message=reason)

"""
Uploads the runner's checkpoints to the output, so that the next attempt can resume from them (VJ-48).

Only the newest one matters. A checkpoint is uploaded after the frames it depends on, file by file, and is valid once
the index lists it; two generations are kept. Runner images are untrusted: a checkpoint's file count and size are
bounded, and a checkpoint that contains a link or a device is not uploaded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import ValidationError
from videojob_api.contract.checkpoint import (
    FOLDER_PATTERN,
    GENERATIONS_KEPT,
    MARKER_FILE,
    MAX_CHECKPOINT_BYTES,
    MAX_CHECKPOINT_FILES,
    CheckpointMarker,
    PublishedCheckpoint,
)
from videojob_api.contract.layout import CHECKPOINTS
from videojob_api.contract.manifest import ManifestFile
from videojob_api.messages.plan import JobPlan

from videojob_agent.checkpoints.index import CheckpointIndexFile
from videojob_agent.errors import AgentError, UnsafePath
from videojob_agent.files.safe_directory import DirectoryEntry, SafeDirectory
from videojob_agent.json_log import JsonLog
from videojob_agent.stores import Store
from videojob_agent.stores.upload import upload_file

MAX_MARKER_BYTES = 64 * 1024
"""Maximum size of a checkpoint marker (`complete`), in bytes."""
MAX_FOLDERS = 1000
"""Maximum number of folders in the checkpoints' folder that are considered."""
MAX_CANDIDATES = 2 * GENERATIONS_KEPT
"""Number of the newest checkpoints whose marker is read."""
MAX_DEPTH = 4
"""Maximum depth of folders inside a checkpoint."""


@dataclass(frozen=True, slots=True)
class LocalCheckpoint:
    """A complete checkpoint in the IO folder. `sha256` is the digest of its marker and identifies it."""

    folder: str
    marker: CheckpointMarker
    sha256: str


class CheckpointUploader:
    """Uploads the checkpoints of one job."""

    def __init__(self, plan: JobPlan, store: Store, *, log: JsonLog) -> None:
        self._plan = plan
        self._index = CheckpointIndexFile(store, plan.job.uid, log=log)
        self._log = log
        self._refused_sha256: str | None = None
        """Marker digest of the checkpoint that was refused last, so that it is logged once."""

    def indexed_frames(self) -> Sequence[ManifestFile]:
        """The frames that an earlier attempt has stored and fetch has restored; call it once there is a frame."""
        return self._index.index.frames if self._plan.publishes_checkpoints else ()

    def newest(self) -> LocalCheckpoint | None:
        """The runner's newest complete checkpoint, unless it was uploaded or refused already."""
        if not self._plan.publishes_checkpoints:
            return None
        try:
            with SafeDirectory.open(Path(self._plan.io_path)) as io, io.subdirectory(CHECKPOINTS) as folder:
                checkpoint = self._newest(folder)
        except (OSError, UnsafePath):
            return None
        return (
            None
            if checkpoint is None or checkpoint.sha256 == self._refused_sha256 or self._is_uploaded(checkpoint)
            else checkpoint
        )

    def upload(self, checkpoint: LocalCheckpoint, frames: Sequence[ManifestFile]) -> None:
        """Upload a checkpoint whose `frames` are stored. Raises AgentError from the store."""
        try:
            with (
                SafeDirectory.open(Path(self._plan.io_path)) as io,
                io.subdirectory(f"{CHECKPOINTS}/{checkpoint.folder}") as folder,
            ):
                files = self._store(folder, checkpoint)
        except FileNotFoundError:  # the runner has dropped it meanwhile; there is a newer one
            return
        except (OSError, UnsafePath) as error:
            self._refuse(checkpoint, error)
            return
        if files is not None:
            self._add_to_index(checkpoint, files, frames)

    def delete_all(self) -> None:
        """Delete all checkpoints from the output, after the commit. Failures are logged."""
        if not self._plan.publishes_checkpoints:
            return
        try:
            self._index.delete_all()
        except AgentError as error:
            self._log("old checkpoints not removed", reason=error.failure.reason, message=str(error))

    def _newest(self, folder: SafeDirectory) -> LocalCheckpoint | None:
        names = (
            name for name in islice(folder.subdirectory_names(), MAX_FOLDERS) if re.fullmatch(FOLDER_PATTERN, name)
        )
        for name in islice(sorted(names, reverse=True), MAX_CANDIDATES):
            if checkpoint := self._read(folder, name):
                return checkpoint
        return None

    def _read(self, folder: SafeDirectory, name: str) -> LocalCheckpoint | None:
        """The checkpoint in a folder; None if it is incomplete or belongs to another job."""
        try:
            with folder.open_file(f"{name}/{MARKER_FILE}") as file:
                content = file.read(MAX_MARKER_BYTES + 1)
            marker = CheckpointMarker.model_validate_json(content)
        except (OSError, UnsafePath, ValidationError):
            return None
        is_own = marker.uid == self._plan.job.uid and len(content) <= MAX_MARKER_BYTES
        return LocalCheckpoint(name, marker, hashlib.sha256(content).hexdigest()) if is_own else None

    def _is_uploaded(self, checkpoint: LocalCheckpoint) -> bool:
        return any(
            file.path == MARKER_FILE and file.sha256 == checkpoint.sha256
            for each in self._index.index.checkpoints
            for file in each.files
        )

    def _store(self, folder: SafeDirectory, checkpoint: LocalCheckpoint) -> list[ManifestFile] | None:
        """Store a checkpoint's files; None if they changed meanwhile. Raises UnsafePath for a refused checkpoint."""
        files = []
        for entry in _list_files(folder):
            name = f"{self._index.prefix}{checkpoint.folder}/{entry.name}"
            stored = upload_file(self._index.store, folder, entry, name=name)
            if stored is None:
                return None
            files.append(stored.model_copy(update={"path": entry.name}))
        return files

    def _add_to_index(
        self, checkpoint: LocalCheckpoint, files: list[ManifestFile], frames: Sequence[ManifestFile]
    ) -> None:
        """Put the checkpoint first in the index, and delete the superseded ones."""
        previous, known = self._index.index, self._index.indexed_names()
        count = checkpoint.marker.frames
        new = PublishedCheckpoint(folder=checkpoint.folder, step=checkpoint.marker.step, frames=count, files=files)
        older = [each for each in previous.checkpoints if each.folder != new.folder]
        self._index.write([new, *older][:GENERATIONS_KEPT], [*frames[:count], *previous.frames[count:]])
        self._log("checkpoint uploaded", step=new.step, frames=count, bytes=sum(file.size for file in files))
        self._index.remove_unindexed(known)

    def _refuse(self, checkpoint: LocalCheckpoint, error: OSError | UnsafePath) -> None:
        self._refused_sha256 = checkpoint.sha256
        self._log("checkpoint not uploaded", step=checkpoint.marker.step, message=str(error))


def _list_files(folder: SafeDirectory) -> list[DirectoryEntry]:
    """A checkpoint's files by name, the marker last. Raises UnsafePath for other entries, or too many."""
    entries = list(islice(folder.walk(depth=MAX_DEPTH), MAX_CHECKPOINT_FILES + 1))
    if len(entries) > MAX_CHECKPOINT_FILES:
        raise UnsafePath(f"the checkpoint has more than {MAX_CHECKPOINT_FILES} files")
    if (total := sum(entry.size for entry in entries)) > MAX_CHECKPOINT_BYTES:
        raise UnsafePath(f"the checkpoint has {total} bytes, more than {MAX_CHECKPOINT_BYTES}")
    for entry in entries:
        if entry.problem or entry.link_count != 1:
            raise UnsafePath(entry.problem or f"{entry.name} has several hard links")
    return sorted(entries, key=lambda entry: (entry.name == MARKER_FILE, entry.name))

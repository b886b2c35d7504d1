"""
The checkpoints of one job at its output, in `checkpoints/<uid>/`: an index, and a folder per checkpoint.

The uid in the path separates a job's checkpoints from other files at a shared destination. The index is replaced as a
whole after everything it lists has been stored; files that it does not list are ignored.
"""

from __future__ import annotations

import io

from pydantic import ValidationError
from videojob_api.contract.checkpoint import INDEX_FILE, CheckpointIndex, PublishedCheckpoint, checkpoint_prefix
from videojob_api.contract.manifest import ManifestFile

from videojob_agent.errors import PermanentError
from videojob_agent.json_log import JsonLog
from videojob_agent.stores import Store


class CheckpointIndexFile:
    """The index file; read once, on first use, because no other process writes it."""

    def __init__(self, store: Store, uid: str, *, log: JsonLog) -> None:
        self.store = store
        self.prefix = checkpoint_prefix(uid)
        self._uid = uid
        self._log = log
        self._index: CheckpointIndex | None = None

    @property
    def index(self) -> CheckpointIndex:
        """The index; empty if there is no readable index of this job."""
        if self._index is None:
            self._index = self._read() or CheckpointIndex(uid=self._uid)
        return self._index

    def write(self, checkpoints: list[PublishedCheckpoint], frames: list[ManifestFile]) -> None:
        """Replace the index: `checkpoints`, newest first, and the `frames` they depend on."""
        count = max((checkpoint.frames for checkpoint in checkpoints), default=0)
        index = CheckpointIndex(uid=self._uid, checkpoints=checkpoints, frames=frames[:count])
        content = index.model_dump_json(by_alias=True, exclude_none=True).encode()
        self.store.put(io.BytesIO(content), name=self.prefix + INDEX_FILE, size=len(content))
        self._index = index

    def object_name(self, checkpoint: PublishedCheckpoint, file: ManifestFile) -> str:
        """Name of a checkpoint's file, relative to the output."""
        return f"{self.prefix}{checkpoint.folder}/{file.path}"

    def indexed_names(self) -> set[str]:
        """Names of the index and of all files that it lists."""
        files = {
            self.object_name(checkpoint, file) for checkpoint in self.index.checkpoints for file in checkpoint.files
        }
        return {self.prefix + INDEX_FILE, *files}

    def remove_unindexed(self, expected: set[str]) -> None:
        """
        Delete objects the index does not list: partial uploads of killed pods and superseded checkpoints.

        Without the right to list objects, the names in `expected` are considered instead. Failures are logged.
        """
        listed = self.indexed_names() if self.index.checkpoints else set()
        try:
            for name in sorted(self._stored_names(expected) - listed, key=self._rank):
                self.store.remove(name)
        except PermanentError as error:
            self._log("old checkpoints not removed", reason=error.failure.reason, message=str(error))

    def delete_all(self) -> None:
        """Delete all checkpoints and the index: there will be no further attempt."""
        expected = self.indexed_names() if self.index.checkpoints else set()
        self._index = CheckpointIndex(uid=self._uid)
        self.remove_unindexed(expected)

    def _stored_names(self, expected: set[str]) -> set[str]:
        try:
            return set(self.store.list_names(self.prefix))
        except PermanentError:
            return expected

    def _rank(self, name: str) -> tuple[bool, str]:
        """Sort key: the index is deleted first, so that it never lists deleted files."""
        return (name != self.prefix + INDEX_FILE, name)

    def _read(self) -> CheckpointIndex | None:
        try:
            content = self.store.read_bytes(self.prefix + INDEX_FILE)
            index = CheckpointIndex.model_validate_json(content) if content is not None else None
        except (PermanentError, ValidationError) as error:
            self._log("checkpoints skipped", message=f"their index cannot be read: {str(error)[:200]}")
            return None
        return index if index and index.uid == self._uid else None

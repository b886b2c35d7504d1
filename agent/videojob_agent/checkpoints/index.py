"""
The checkpoints of one job at its output, below `checkpoints/<uid>/`: an index, and a folder for each of them.

The uid in the path keeps a job's checkpoints apart from whatever else lies at a destination that is shared. The index
is replaced as a whole, after everything it lists has been stored; a file that it does not list does not count.
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
    """What lies there; read once, when it is first asked for, and then known, since nobody else writes it."""

    def __init__(self, store: Store, uid: str, *, events: JsonLog) -> None:
        self.store = store
        self.below = checkpoint_prefix(uid)
        self._uid = uid
        self._events = events
        self._index: CheckpointIndex | None = None

    @property
    def load(self) -> CheckpointIndex:
        """The index; an empty one when there is none of this job that can be read."""
        if self._index is None:
            self._index = self._read() or CheckpointIndex(uid=self._uid)
        return self._index

    def write(self, checkpoints: list[PublishedCheckpoint], frames: list[ManifestFile]) -> None:
        """Writes another index: of these checkpoints, newest first, and the frames they count on."""
        count = max((checkpoint.frames for checkpoint in checkpoints), default=0)
        index = CheckpointIndex(uid=self._uid, checkpoints=checkpoints, frames=frames[:count])
        content = index.model_dump_json(by_alias=True, exclude_none=True).encode()
        self.store.put(io.BytesIO(content), name=self.below + INDEX_FILE, size=len(content))
        self._index = index

    def object_name(self, checkpoint: PublishedCheckpoint, file: ManifestFile) -> str:
        """Where a file of a checkpoint lies, relative to the output."""
        return f"{self.below}{checkpoint.folder}/{file.path}"

    def indexed_names(self) -> set[str]:
        """The names of everything that counts, the index included."""
        files = {
            self.object_name(checkpoint, file) for checkpoint in self.load.checkpoints for file in checkpoint.files
        }
        return {self.below + INDEX_FILE, *files}

    def remove_unindexed(self, known: set[str]) -> None:
        """
        Removes what does not count (any more): halves left by a pod that was killed, checkpoints that are too old.

        `known` is looked through where the rights do not reach to list files. What cannot be removed stays.
        """
        kept = self.indexed_names() if self.load.checkpoints else set()
        try:
            for name in sorted(self._lying(known) - kept, key=self._rank):
                self.store.remove(name)
        except PermanentError as error:
            self._events("old checkpoints stay", reason=error.failure.reason, message=str(error))

    def delete_all(self) -> None:
        """Removes all of it: there will be no next attempt."""
        known = self.indexed_names() if self.load.checkpoints else set()
        self._index = CheckpointIndex(uid=self._uid)
        self.remove_unindexed(known)

    def _lying(self, known: set[str]) -> set[str]:
        try:
            return set(self.store.list_names(self.below))
        except PermanentError:
            return known

    def _rank(self, name: str) -> tuple[bool, str]:
        """The index goes first: it must never list what is not there."""
        return (name != self.below + INDEX_FILE, name)

    def _read(self) -> CheckpointIndex | None:
        try:
            content = self.store.read_bytes(self.below + INDEX_FILE)
            index = CheckpointIndex.model_validate_json(content) if content is not None else None
        except (PermanentError, ValidationError) as error:
            self._events("checkpoints passed over", message=f"their index cannot be read: {str(error)[:200]}")
            return None
        return index if index and index.uid == self._uid else None

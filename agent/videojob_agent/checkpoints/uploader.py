"""
Carries the runner's checkpoints to the output, so that the next attempt can go on from them (VJ-48).

Only the newest one matters. It goes out after the frames that it counts on, file by file, and counts when the index
lists it; two generations are kept there. The runner may be a stranger's image: what lies in a checkpoint's folder is
bounded in number and size, and a link or a device in it means that it stays where it is.
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
    CheckpointMarker,
    PublishedCheckpoint,
)
from videojob_api.contract.layout import CHECKPOINTS
from videojob_api.contract.manifest import ManifestFile
from videojob_api.messages.plan import JobPlan

from videojob_agent.checkpoints.index import Carried
from videojob_agent.errors import AgentError, UnsafePath
from videojob_agent.files.safe_directory import Entry, Folder
from videojob_agent.json_log import Events
from videojob_agent.stores import Store
from videojob_agent.stores.upload import store_file

MARKER_LIMIT = 64 * 1024
"""Bytes of `complete` that are looked at."""
MOST_FOLDERS = 1000
"""In the checkpoints' folder that are looked at."""
MOST_CANDIDATES = 2 * GENERATIONS_KEPT
"""Of the newest of them whose `complete` is read."""
MOST_FILES = 256
"""In one checkpoint."""
MOST_BYTES = 16 * 1024**3
"""Of one checkpoint."""
DEPTH = 4
"""Folders inside a checkpoint that are looked into."""


@dataclass(frozen=True, slots=True)
class Found:
    """A complete checkpoint in the IO folder. `sha256` is that of its marker: two that agree are the same one."""

    folder: str
    marker: CheckpointMarker
    sha256: str


class Carrier:
    """Carries the checkpoints of one job."""

    def __init__(self, plan: JobPlan, store: Store, *, events: Events) -> None:
        self._plan = plan
        self._carried = Carried(store, plan.job.uid, events=events)
        self._events = events
        self._refused: str | None = None
        """Digest of the marker that was last refused; said once."""

    def frames(self) -> Sequence[ManifestFile]:
        """The frames that an earlier attempt has stored and this one was given back; ask when there is a frame."""
        return self._carried.index.frames if self._plan.publishes_checkpoints else ()

    def newest(self) -> Found | None:
        """The runner's newest complete checkpoint, unless it lies at the output already or was refused."""
        if not self._plan.publishes_checkpoints:
            return None
        try:
            with Folder.open(Path(self._plan.io_path)) as io, io.below(CHECKPOINTS) as folder:
                found = self._newest(folder)
        except (OSError, UnsafePath):
            return None
        return None if found is None or found.sha256 == self._refused or self._lies_there(found) else found

    def carry(self, found: Found, frames: Sequence[ManifestFile]) -> None:
        """Stores a checkpoint whose frames, `frames`, are stored. Raises what the store raises."""
        try:
            with Folder.open(Path(self._plan.io_path)) as io, io.below(f"{CHECKPOINTS}/{found.folder}") as folder:
                files = self._store(folder, found)
        except FileNotFoundError:  # the runner has dropped it meanwhile; there is a newer one
            return
        except (OSError, UnsafePath) as error:
            self._refuse(found, error)
            return
        if files is not None:
            self._list(found, files, frames)

    def drop(self) -> None:
        """After the commit: removes all checkpoints from the output. What cannot be removed does not matter."""
        if not self._plan.publishes_checkpoints:
            return
        try:
            self._carried.drop()
        except AgentError as error:
            self._events("old checkpoints stay", reason=error.failure.reason, message=str(error))

    def _newest(self, folder: Folder) -> Found | None:
        names = (name for name in islice(folder.folders(), MOST_FOLDERS) if re.fullmatch(FOLDER_PATTERN, name))
        for name in islice(sorted(names, reverse=True), MOST_CANDIDATES):
            if found := self._read(folder, name):
                return found
        return None

    def _read(self, folder: Folder, name: str) -> Found | None:
        """The checkpoint in a folder; None when it is not complete, or not this job's."""
        try:
            with folder.read(f"{name}/{MARKER_FILE}") as file:
                content = file.read(MARKER_LIMIT + 1)
            marker = CheckpointMarker.model_validate_json(content)
        except (OSError, UnsafePath, ValidationError):
            return None
        ours = marker.uid == self._plan.job.uid and len(content) <= MARKER_LIMIT
        return Found(name, marker, hashlib.sha256(content).hexdigest()) if ours else None

    def _lies_there(self, found: Found) -> bool:
        return any(
            file.path == MARKER_FILE and file.sha256 == found.sha256
            for checkpoint in self._carried.index.checkpoints
            for file in checkpoint.files
        )

    def _store(self, folder: Folder, found: Found) -> list[ManifestFile] | None:
        """Stores a checkpoint's files; None when it changed meanwhile. Raises UnsafePath for one that is not taken."""
        files = []
        for entry in _bounded(folder):
            name = f"{self._carried.below}{found.folder}/{entry.name}"
            stored = store_file(self._carried.store, folder, entry, name=name)
            if stored is None:
                return None
            files.append(stored.model_copy(update={"path": entry.name}))
        return files

    def _list(self, found: Found, files: list[ManifestFile], frames: Sequence[ManifestFile]) -> None:
        """Puts the checkpoint first in the index, and removes what has to make room."""
        before, known = self._carried.index, self._carried.listed()
        count = found.marker.frames
        new = PublishedCheckpoint(folder=found.folder, step=found.marker.step, frames=count, files=files)
        older = [checkpoint for checkpoint in before.checkpoints if checkpoint.folder != new.folder]
        self._carried.replace([new, *older][:GENERATIONS_KEPT], [*frames[:count], *before.frames[count:]])
        self._events("checkpoint carried", step=new.step, frames=count, bytes=sum(file.size for file in files))
        self._carried.tidy(known)

    def _refuse(self, found: Found, error: OSError | UnsafePath) -> None:
        self._refused = found.sha256
        self._events("checkpoint not carried", step=found.marker.step, message=str(error))


def _bounded(folder: Folder) -> list[Entry]:
    """A checkpoint's files, by name. Raises UnsafePath when there is anything else, or too much."""
    entries = list(islice(folder.walk(depth=DEPTH), MOST_FILES + 1))
    if len(entries) > MOST_FILES:
        raise UnsafePath(f"it holds more than {MOST_FILES} files")
    if (total := sum(entry.size for entry in entries)) > MOST_BYTES:
        raise UnsafePath(f"it holds {total} bytes, more than {MOST_BYTES}")
    for entry in entries:
        if entry.fault or entry.links != 1:
            raise UnsafePath(entry.fault or f"{entry.name} is a file with several names")
    return sorted(entries, key=lambda entry: (entry.name == MARKER_FILE, entry.name))

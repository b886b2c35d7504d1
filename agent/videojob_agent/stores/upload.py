"""Uploads one file of the runner: reads it once for its digest, stores it, and detects concurrent changes."""

from __future__ import annotations

import hashlib
import os
from io import BufferedReader

from videojob_api.contract.manifest import ManifestFile

from videojob_agent.errors import UnsafePath
from videojob_agent.files.safe_directory import DirectoryEntry, SafeDirectory
from videojob_agent.stores.base import Store


def upload_file(
    store: Store, folder: SafeDirectory, entry: DirectoryEntry, *, name: str, already_stored: ManifestFile | None = None
) -> ManifestFile | None:
    """
    Store a file of `folder` as `name`; None if it changed meanwhile or does not exist.

    `already_stored` describes the file that exists under that name: if it is equal, nothing is sent.
    """
    try:
        source = folder.open_file(entry.name)
    except (FileNotFoundError, UnsafePath):
        return None
    with source:
        if not _is_same(source, entry):
            return None
        digest = hashlib.file_digest(source, "sha256").hexdigest()
        found = ManifestFile(path=name, size=entry.size, sha256=digest)
        if found != already_stored:
            source.seek(0)
            store.put(source, name=name, size=entry.size)
        return found if _is_same(source, entry) else None


def _is_same(source: BufferedReader, entry: DirectoryEntry) -> bool:
    """True if the open file is unchanged since it was listed."""
    state = os.fstat(source.fileno())
    return (state.st_size, state.st_mtime_ns, state.st_ino) == (entry.size, entry.modified_ns, entry.inode)

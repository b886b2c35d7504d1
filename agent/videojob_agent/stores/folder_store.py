"""
Output store on a volume claim: a directory of the pod's file system.

Each file is written under a temporary name, synced and renamed. The manifest is *linked* to its name instead, which
fails if the name exists: the one exclusive create that also works on NFS.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from videojob_api.contract.layout import MANIFEST

from videojob_agent.errors import (
    AlreadyCommitted,
    EndpointUnreachable,
    InputNotFound,
    OutputNotWritable,
    UnsafePath,
)
from videojob_agent.files.safe_directory import SafeDirectory

CHUNK_BYTES = 1 << 20
MAX_DEPTH = 8
"""Maximum depth of folders when names are listed."""
_TRANSIENT_ERRNOS = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EINTR, errno.EBUSY})
"""Errors of a network file system whose server is unavailable."""
_HARDLINK_UNSUPPORTED_ERRNOS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""Errors of a file system without hard links; two simultaneous commits are not detected there."""


class FolderStore:
    """A store in the directory `path`, which is created on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def probe(self) -> None:
        """Write, sync and remove a small file."""
        with self._open() as folder:
            name = f".probe-{os.urandom(6).hex()}"
            with folder.atomic_writer(name, durable=True) as file:
                file.write(b"probe")
            folder.remove(name)

    def put(self, source: BinaryIO, *, name: str, size: int) -> None:
        """Copy `source`; `size` is not used."""
        with self._open() as folder, folder.atomic_writer(name, durable=True) as file:
            shutil.copyfileobj(source, file, CHUNK_BYTES)

    def read(self, name: str) -> Iterator[bytes]:
        """The file, piece by piece."""
        with self._open_to_read() as folder, folder.open_file(name) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def read_bytes(self, name: str) -> bytes | None:
        """The file's bytes."""
        try:
            return b"".join(self.read(name))
        except InputNotFound:
            return None

    def list_names(self, prefix: str) -> list[str]:
        """Names of the regular files below `prefix`."""
        try:
            with self._open_to_read() as folder, folder.subdirectory(prefix.rstrip("/")) as subfolder:
                return [prefix + entry.name for entry in subfolder.walk(depth=MAX_DEPTH) if entry.problem is None]
        except InputNotFound:
            return []

    def remove(self, name: str) -> None:
        """Remove the file and its parent directories that are empty then."""
        with self._open() as folder:
            folder.remove(name)
            folder.remove_empty_parents(name)

    def manifest(self) -> bytes | None:
        """The manifest's bytes."""
        return self.read_bytes(MANIFEST)

    def commit(self, manifest: bytes) -> None:
        """Write the manifest unless it exists."""
        part = f".{MANIFEST}-{os.urandom(6).hex()}"
        with self._open() as folder:
            with folder.atomic_writer(part, durable=True) as file:
                file.write(manifest)
            try:
                _name_exclusively(folder, part)
            except FileExistsError:
                raise AlreadyCommitted(f"{self._path / MANIFEST} exists") from None
            finally:
                folder.remove(part)

    @contextmanager
    def _open_to_read(self) -> Iterator[SafeDirectory]:
        """Open the directory without creating it. Raises InputNotFound if it, or a file in it, does not exist."""
        try:
            with self._open(create=False) as folder:
                yield folder
        except OutputNotWritable as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise InputNotFound(str(error.__cause__)) from error
            raise

    @contextmanager
    def _open(self, *, create: bool = True) -> Iterator[SafeDirectory]:
        """Open the directory and translate OSErrors into AgentErrors."""
        try:
            with SafeDirectory.open(self._path, create=create) as folder:
                yield folder
        except UnsafePath as error:
            raise OutputNotWritable(str(error)) from error
        except OSError as error:
            kind = EndpointUnreachable if error.errno in _TRANSIENT_ERRNOS else OutputNotWritable
            reason = error.strerror or str(error)
            remedy = "the volume must be mounted read-write, have free space, and be writable by the pod's user"
            raise kind(f"{self._path}: {reason}; {remedy}") from error


def _name_exclusively(folder: SafeDirectory, part: str) -> None:
    """Rename `part` to the manifest's name. Raises FileExistsError if that exists."""
    here = folder.descriptor
    try:
        os.link(part, MANIFEST, src_dir_fd=here, dst_dir_fd=here)
    except OSError as error:
        if error.errno not in _HARDLINK_UNSUPPORTED_ERRNOS:
            raise
        if any(entry.name == MANIFEST for entry in os.scandir(here)):
            raise FileExistsError from None
        os.rename(part, MANIFEST, src_dir_fd=here, dst_dir_fd=here)
    os.fsync(here)

"""
Directories held by descriptor, so that a checked path cannot be replaced by another one (VJ-72).

Every name is resolved component by component from the descriptor, and links are rejected at each step; only regular
files are opened, so a FIFO or a device cannot block the agent. A new file is written under a temporary name and
renamed, so a reader sees nothing or all of it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from videojob_agent.errors import UnsafePath
from videojob_agent.files.safe_names import check_name

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LINK_IN_THE_WAY = (errno.ELOOP, errno.ENOTDIR)
TEMPORARY_SUFFIX = ".part"


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """An entry found by `walk`, named relative to its start; entries are equal if the file was not modified between."""

    name: str
    size: int = 0
    modified_ns: int = 0
    inode: int = 0
    link_count: int = 1
    problem: str | None = None
    """Why the entry must not be opened; None for a regular file with a safe name."""


class SafeDirectory:
    """An open directory. Names passed to its methods may contain `/` and are checked; OSError is not translated."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self.descriptor = descriptor
        self.path = path
        """Used in messages only."""

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> SafeDirectory:
        """Open the directory at `path`, which must be trusted; `create` makes it if it is missing."""
        if create:
            path.mkdir(parents=True, exist_ok=True)
        return cls(os.open(path, _DIRECTORY), path)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)

    def __enter__(self) -> SafeDirectory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def subdirectory(self, name: str, *, create: bool = False) -> SafeDirectory:
        """The directory `name` below this one. Raises UnsafePath if a component is a link or a file."""
        here = SafeDirectory(os.dup(self.descriptor), self.path)
        for part in check_name(name).split("/"):
            with here:
                here = here._open_component(part, create=create)
        return here

    def open_file(self, name: str) -> BufferedReader:
        """Open the regular file `name` for reading. Raises UnsafePath for a link, FIFO, device or directory."""
        with self._parent(name, create=False) as (parent, last):
            try:
                descriptor = os.open(last, _READ, dir_fd=parent.descriptor)
            except OSError as error:
                raise self._translated(error, name) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise UnsafePath(f"{self.path / name} is not a regular file")
        return os.fdopen(descriptor, "rb")

    def is_file(self, name: str) -> bool:
        """True if `name` is a regular file."""
        with self._parent(name, create=False) as (parent, last):
            return stat.S_ISREG(os.stat(last, dir_fd=parent.descriptor, follow_symlinks=False).st_mode)

    @contextmanager
    def atomic_writer(self, name: str, *, durable: bool = False) -> Iterator[BinaryIO]:
        """Write a new file that gets its name when the block succeeds; `durable` also syncs it to disk."""
        with self._parent(name, create=True) as (parent, last):
            part = (
                f".{os.urandom(6).hex()}{TEMPORARY_SUFFIX}"  # short: the name itself may have the full length already
            )
            descriptor = os.open(part, _CREATE, 0o644, dir_fd=parent.descriptor)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    yield file
                    file.flush()
                    if durable:
                        os.fsync(descriptor)
                os.rename(part, last, src_dir_fd=parent.descriptor, dst_dir_fd=parent.descriptor)
            finally:
                with suppress(FileNotFoundError):  # it has its name when all went well
                    os.unlink(part, dir_fd=parent.descriptor)
            if durable:
                os.fsync(parent.descriptor)

    def remove(self, name: str) -> None:
        """Remove the file `name` if it exists."""
        with suppress(FileNotFoundError), self._parent(name, create=False) as (parent, last):
            os.unlink(last, dir_fd=parent.descriptor)

    def remove_tree(self, name: str) -> None:
        """Remove the directory `name` with its content if it exists, without following links."""
        with suppress(FileNotFoundError), self._parent(name, create=False) as (parent, last):
            shutil.rmtree(last, dir_fd=parent.descriptor)

    def remove_empty_parents(self, name: str) -> None:
        """Remove the parent directories of `name`, innermost first, as long as they are empty."""
        with suppress(OSError):  # one that is not empty ends it, and so does one that is gone
            while "/" in name:
                name = name.rpartition("/")[0]
                with self._parent(name, create=False) as (parent, last):
                    os.rmdir(last, dir_fd=parent.descriptor)

    def move(self, name: str, to: str) -> None:
        """Rename a file or directory below this one; missing parent directories are created."""
        with self._parent(name, create=False) as (source, last), self._parent(to, create=True) as (target, new):
            os.rename(last, new, src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor)

    def subdirectory_names(self) -> Iterator[str]:
        """Names of the directories directly below, unordered; links are not followed."""
        with os.scandir(self.descriptor) as entries:
            yield from (entry.name for entry in entries if entry.is_dir(follow_symlinks=False))

    def walk(self, *, depth: int) -> Iterator[DirectoryEntry]:
        """Yield all entries except directories, at most `depth` levels down, unordered."""
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                try:
                    yield from self._walk_entry(entry, depth=depth)
                except FileNotFoundError:  # gone since it was listed
                    continue
                except UnsafePath as error:
                    yield DirectoryEntry(entry.name, problem=str(error))

    def _walk_entry(self, entry: os.DirEntry[str], *, depth: int) -> Iterator[DirectoryEntry]:
        check_name(entry.name)
        state = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(state.st_mode) and depth:
            with self.subdirectory(entry.name) as inner:
                for found in inner.walk(depth=depth - 1):
                    yield replace(found, name=f"{entry.name}/{found.name}")
        elif stat.S_ISREG(state.st_mode):
            yield DirectoryEntry(entry.name, state.st_size, state.st_mtime_ns, state.st_ino, state.st_nlink)
        else:
            yield DirectoryEntry(
                entry.name, problem=f"{self.path / entry.name} is not a regular file, or is nested too deeply"
            )

    @contextmanager
    def _parent(self, name: str, *, create: bool) -> Iterator[tuple[SafeDirectory, str]]:
        folder, _, last = check_name(name).rpartition("/")
        if not folder:
            yield self, last
            return
        with self.subdirectory(folder, create=create) as parent:
            yield parent, last

    def _open_component(self, part: str, *, create: bool) -> SafeDirectory:
        if create:
            with suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=self.descriptor)
        try:
            return SafeDirectory(os.open(part, _DIRECTORY, dir_fd=self.descriptor), self.path / part)
        except OSError as error:
            raise self._translated(error, part) from error

    def _translated(self, error: OSError, name: str) -> Exception:
        if error.errno in _LINK_IN_THE_WAY:
            return UnsafePath(f"{self.path / name} leads through a link or a file; only plain folders are followed")
        return error

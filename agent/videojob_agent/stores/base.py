"""The protocol that all output stores implement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Protocol


class Store(Protocol):
    """Operations every output store provides. All raise AgentError only, and are thread-safe."""

    def probe(self) -> None:
        """Check that the destination is writable, without leaving anything visible behind."""

    def put(self, source: BinaryIO, *, name: str, size: int) -> None:
        """Store `size` bytes of `source` as `name`, replacing an older file atomically; `source` is not closed."""

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file in chunks. Raises InputNotFound if it does not exist."""

    def read_bytes(self, name: str) -> bytes | None:
        """The content of a small file; None if it does not exist or is hidden by missing rights."""

    def list_names(self, prefix: str) -> list[str]:
        """Names of all files below `prefix`, which ends in `/`."""

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""

    def manifest(self) -> bytes | None:
        """The committed manifest; None if there is none."""

    def commit(self, manifest: bytes) -> None:
        """Write the manifest. Raises AlreadyCommitted if one exists."""

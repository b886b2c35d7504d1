"""The protocol that all output stores implement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Protocol


class Store(Protocol):
    """What is asked of each place. All methods raise AgentErrors and nothing else; all may be called from threads."""

    def probe(self) -> None:
        """Return when the destination takes files; leaves nothing visible behind."""

    def put(self, source: BinaryIO, *, name: str, size: int) -> None:
        """Store `size` bytes of `source`, left open, as `name`, replacing an older file; no half is ever visible."""

    def read(self, name: str) -> Iterator[bytes]:
        """The content of a file, piece by piece. Raises InputNotFound when there is none."""

    def read_bytes(self, name: str) -> bytes | None:
        """A small file whole; None when there is none, or when the rights do not reach to see it."""

    def list_names(self, prefix: str) -> list[str]:
        """Every file below `prefix`, which ends in `/`."""

    def remove(self, name: str) -> None:
        """Remove a file, if there."""

    def manifest(self) -> bytes | None:
        """The committed manifest; None when there is none."""

    def commit(self, manifest: bytes) -> None:
        """Write the manifest. Raises AlreadyCommitted when one lies there."""

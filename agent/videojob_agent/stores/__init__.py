"""
The places where output can go, behind one protocol.

A store holds files under names relative to the job's destination. There is no transaction over many files anywhere, so
the manifest is the commit: it is written last, once, and never replaced; whoever finds it may rely on everything it
lists (VJ-41).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from videojob_api.messages.plan import OutputPlan

from videojob_agent.stores.folder_store import FolderStore
from videojob_agent.stores.s3_store import S3Store

__all__ = ["FolderStore", "S3Store", "Store", "create_store"]


class Store(Protocol):
    """What is asked of each place. All methods raise AgentErrors and nothing else; all may be called from threads."""

    def probe(self) -> None:
        """Returns when the destination takes files; leaves nothing visible behind."""

    def put(self, source: BinaryIO, *, name: str, size: int) -> None:
        """Stores `size` bytes of `source`, left open, as `name`, replacing an older file; no half is ever visible."""

    def read(self, name: str) -> Iterator[bytes]:
        """The content of a file, piece by piece. Raises InputNotFound when there is none."""

    def read_bytes(self, name: str) -> bytes | None:
        """A small file whole; None when there is none, or when the rights do not reach to see it."""

    def list_names(self, prefix: str) -> list[str]:
        """Every file below `prefix`, which ends in `/`."""

    def remove(self, name: str) -> None:
        """Removes a file, if there."""

    def manifest(self) -> bytes | None:
        """The committed manifest; None when there is none."""

    def commit(self, manifest: bytes) -> None:
        """Writes the manifest. Raises AlreadyCommitted when one lies there."""


def create_store(output: OutputPlan, *, credentials_root: Path | None) -> Store:
    """The store behind a plan's output."""
    if output.s3 is not None:
        return S3Store(output.s3, credentials_root=credentials_root)
    if output.folder is None:
        raise ValueError("output must hold s3 or folder; neither is set")
    return FolderStore(Path(output.folder))

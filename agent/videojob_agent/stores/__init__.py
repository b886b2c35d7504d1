"""
Output stores (folder, S3) behind one protocol.

A store holds files under names relative to the job's destination. No store has transactions over many files, so the
manifest is the commit: it is written last, once, and never replaced; a reader that finds it can rely on everything it
lists (VJ-41).
"""

from __future__ import annotations

from pathlib import Path

from videojob_api.messages.plan import OutputPlan

from videojob_agent.stores.base import Store
from videojob_agent.stores.folder_store import FolderStore
from videojob_agent.stores.s3_store import S3Store

__all__ = ["FolderStore", "S3Store", "Store", "create_store"]


def create_store(output: OutputPlan, *, credentials_root: Path | None) -> Store:
    """The store for a plan's output."""
    if output.s3 is not None:
        return S3Store(output.s3, credentials_root=credentials_root)
    if output.folder is None:
        raise ValueError("output must hold s3 or folder; neither is set")
    return FolderStore(Path(output.folder))

"""
Where things are kept.

One cache folder holds all that can be made again: binaries by version, unpacked packages, image layers, and the
state of the clusters. It is `$VIDEOJOB_CACHE`, else `videojob` in the user's cache folder.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The cache folder; made when missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("VIDEOJOB_CACHE") or Path(base) / "videojob").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def clusters_folder() -> Path:
    """The folder that holds one state folder per cluster."""
    folder = cache_folder() / "clusters"
    folder.mkdir(exist_ok=True)
    return folder

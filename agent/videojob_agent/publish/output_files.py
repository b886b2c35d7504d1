"""
Lists the files below the runner's `output/` that are to be published.

The runner is untrusted: links, devices, files with several hard links and unsafe names are skipped, and so are hidden
files (temporary files before a rename) and `manifest.json`, which the agent writes. No file is opened here.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from videojob_api.contract.layout import MANIFEST

from videojob_agent.errors import UnsafePath
from videojob_agent.files.safe_directory import DirectoryEntry, SafeDirectory

MAX_DEPTH = 8
"""Maximum depth of folders below `output/`."""
MAX_FILES = 500_000
FRAMES_FOLDER = "frames"


def list_output_files(output: SafeDirectory) -> list[DirectoryEntry]:
    """All files to publish below `output/`, in the order of publishing."""
    return _in_order(output.walk(depth=MAX_DEPTH))


def list_frames(output: SafeDirectory) -> list[DirectoryEntry]:
    """All frames below `output/frames/`, named relative to `output/`, in order."""
    try:
        with output.subdirectory(FRAMES_FOLDER) as frames:
            found = [_below_frames(entry) for entry in frames.walk(depth=0)]
    except (FileNotFoundError, UnsafePath):
        return []
    return [entry for entry in _in_order(found) if is_frame(entry)]


def is_frame(entry: DirectoryEntry) -> bool:
    """True if the entry is a frame."""
    return entry.name.startswith(f"{FRAMES_FOLDER}/") and entry.name.endswith(".png")


def is_video(entry: DirectoryEntry) -> bool:
    """True if the entry is a non-empty mp4 directly in `output/`."""
    return "/" not in entry.name and entry.name.endswith(".mp4") and entry.size > 0


def _in_order(entries: Iterable[DirectoryEntry]) -> list[DirectoryEntry]:
    """Sort by frames, videos, other files; then by name."""
    wanted = (entry for entry in entries if _is_wanted(entry))
    return sorted(islice(wanted, MAX_FILES), key=_rank)


def _is_wanted(entry: DirectoryEntry) -> bool:
    hidden = any(part.startswith(".") for part in entry.name.split("/"))
    return entry.problem is None and entry.link_count == 1 and not hidden and entry.name != MANIFEST


def _rank(entry: DirectoryEntry) -> tuple[int, str]:
    return (0 if is_frame(entry) else 1 if is_video(entry) else 2, entry.name)


def _below_frames(entry: DirectoryEntry) -> DirectoryEntry:
    return DirectoryEntry(
        f"{FRAMES_FOLDER}/{entry.name}", entry.size, entry.modified_ns, entry.inode, entry.link_count, entry.problem
    )

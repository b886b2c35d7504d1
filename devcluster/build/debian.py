"""
System packages without installing any: downloaded by apt, unpacked into the cache folder, found by path.

apt keeps a state folder of ours and only reads the machine's package list, so it fetches just what the machine lacks,
changes nothing, and needs no root. A program whose libraries came with it gets a two-line wrapper that names them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from devcluster import paths
from devcluster.errors import BuildFailed, Unsupported
from devcluster.host.file_lock import exclusive_lock
from devcluster.host.progress import timed_step

PROGRAMS = {
    "runc": "runc",
    "buildah": "buildah",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "busybox": "busybox-static",
    "debootstrap": "debootstrap",
    "wget": "wget",
}
"""What the node level runs, and the package it comes from."""

PACKAGES = (*PROGRAMS.values(), "debian-archive-keyring")
_PROGRAM_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")


def install_packages() -> Path:
    """Downloads and unpacks the packages unless that was done; returns the folder with one entry per program."""
    folder = _folder()
    if not (folder / "bin").exists():
        _require_apt()
        with exclusive_lock(folder.with_name(f"{folder.name}.lock")):
            if not (folder / "bin").exists():  # asked anew: another process may have been here first
                _unpack(folder)
    return folder / "bin"


def _unpack(folder: Path) -> None:
    partial = folder.with_name(folder.name + ".partial")
    for old in (partial, folder):
        shutil.rmtree(old, ignore_errors=True)
    with timed_step(f"Debian packages unpacked: {', '.join(PACKAGES)}"):
        for archive in _download(partial):
            _run("dpkg-deb", "--extract", archive, partial / "root")
        shutil.rmtree(partial / "apt")
    (partial / "root").mkdir(exist_ok=True)
    partial.rename(folder)
    _make_programs(folder)


def program_path(name: str) -> Path:
    """A program of the unpacked packages, else the machine's; raises Unsupported when there is neither."""
    unpacked = _folder() / "bin" / name
    if unpacked.exists():
        return unpacked
    found = shutil.which(name, path=search_path())
    if not found:
        raise Unsupported(f"no `{name}` on this machine: run `python -m devcluster build --level node`")
    return Path(found)


def search_path() -> str:
    """A PATH with the unpacked programs first and the system's folders, which a user's PATH may lack, last."""
    return ":".join([str(_folder() / "bin"), os.environ.get("PATH", ""), "/usr/sbin:/sbin:/usr/bin:/bin"])


def data_path(path: str) -> Path:
    """A file or folder that a package brings, like `usr/share/debootstrap`: unpacked, else the machine's."""
    unpacked = _folder() / "root" / path
    return unpacked if unpacked.exists() else Path("/") / path


def library_wrapper() -> list[str]:
    """
    What to put before a program that starts itself again with a cleared environment, as buildah does.

    In a mount namespace of its own the loader's cache is one that also lists the unpacked libraries. Mounts that the
    program makes and forgets go with it.
    """
    shell = f'mount --bind {_folder() / "ld.so.cache"} /etc/ld.so.cache && exec "$@"'
    return [str(program_path("unshare")), "--mount", "--propagation=private", "sh", "-c", shell, "sh"]


def _folder() -> Path:
    release = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    key = hashlib.sha256("\n".join([release, *PACKAGES]).encode()).hexdigest()[:12]
    return paths.cache_folder() / f"debian-{key}"


def _require_apt() -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise Unsupported(f"the node level takes {', '.join(PACKAGES)} from Debian, but {tool} is not installed")


def _download(folder: Path) -> Sequence[Path]:
    apt = folder / "apt"
    for part in ("lists/partial", "archives/partial"):
        (apt / part).mkdir(parents=True)
    options = {
        "Dir::State": apt,
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "APT::Sandbox::User": _user(),
        "APT::Install-Recommends": "0",
        "Debug::NoLocking": "1",
    }
    apt_get = ["apt-get", "--quiet", *(f"--option={key}={value}" for key, value in options.items())]
    # A source that cannot be reached need not be one that we want something of: the next command knows.
    subprocess.run([*apt_get, "update"], capture_output=True, check=False)
    # The machine's own packages may conflict with ours: apt then plans to remove them, and only ever downloads.
    _run(*apt_get, "install", "--yes", "--download-only", "--allow-change-held-packages", *PACKAGES)
    return sorted((apt / "archives").glob("*.deb"))


def _user() -> str:
    # apt would switch to a user that may not enter our folder.
    return "root" if os.geteuid() == 0 else ""


def _make_programs(folder: Path) -> None:
    programs = folder / "bin.partial"
    programs.mkdir()
    folders = sorted(str(path) for path in (folder / "root").glob("**/lib/*-linux-gnu"))
    libraries = ":".join(folders)
    (folder / "ld.so.conf").write_text("\n".join(["include /etc/ld.so.conf", *folders]) + "\n")
    _run("ldconfig", "-X", "-f", folder / "ld.so.conf", "-C", folder / "ld.so.cache")
    for name in PROGRAMS:
        places = [folder / "root" / where / name for where in _PROGRAM_FOLDERS]
        found = next((path for path in places if path.exists()), None)
        if found:
            _make_program(programs / name, found, libraries)
    programs.rename(folder / "bin")


def _make_program(entry: Path, target: Path, libraries: str) -> None:
    linked = subprocess.run(["ldd", target], capture_output=True, text=True, check=False).stdout
    if "not found" in linked:
        entry.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {target} "$@"\n')
        entry.chmod(0o755)
    else:
        entry.symlink_to(target)


def _run(*command: str | Path) -> None:
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        end = "\n".join((done.stderr or done.stdout).splitlines()[-10:])
        raise BuildFailed(f"{command[0]} {command[-1]} failed:\n{end}")

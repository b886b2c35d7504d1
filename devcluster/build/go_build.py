"""
Binaries from Go modules, each built once per version and kept in the cache folder.

A source is built as a dependency of an empty module of ours: that is how a released module is meant to be used, and
it works where `go install module@version` refuses (modules with replace lines). One command is linked at a time, for
a linker takes up to 2 GB; two builders wait for each other at a lock.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from devcluster import paths
from devcluster.build.go_toolchain import ensure_go
from devcluster.errors import BuildFailed, Unsupported
from devcluster.host.file_lock import exclusive_lock
from devcluster.host.progress import timed_step
from devcluster.versions import KUBERNETES_MODULE, SOURCES, ComponentGroup, GoSource

STRIP_FLAGS = ("-gcflags=all=-dwarf=false",)
"""What the linker drops anyway is not made at all: a tenth of the compiler's time."""
_BUILD_INFO = "k8s.io/component-base/version"


def binary_path(name: str) -> Path:
    """Where the binary `name` of the table is; raises Unsupported when it has not been built."""
    for source in SOURCES:
        if name in source.commands:
            path = build_folder(source) / name
            if path.exists():
                return path
            level = "node" if source.group is ComponentGroup.NODE else "api"
            raise Unsupported(f"{name} {source.version} is not built: run `python -m devcluster build --level {level}`")
    raise Unsupported(f"{name} is not listed in devcluster/versions.py")


def build_folder(source: GoSource) -> Path:
    """The folder of a source's binaries, named by its version."""
    return paths.cache_folder() / "bin" / source.folder


def missing_commands(groups: Collection[ComponentGroup]) -> list[tuple[GoSource, str]]:
    """Every command of `groups` that has not been built yet, with its source."""
    return [
        (source, command)
        for source in SOURCES
        if source.group in groups
        for command in source.commands
        if not (build_folder(source) / command).exists()
    ]


def build(groups: Collection[ComponentGroup] = tuple(ComponentGroup)) -> None:
    """Builds what is missing of `groups`; does nothing, at once, when all is there."""
    _build(lambda: missing_commands(groups))


def build_commands(*names: str) -> None:
    """Builds what is missing of the named commands."""
    _build(
        lambda: [(source, command) for source, command in missing_commands(tuple(ComponentGroup)) if command in names]
    )


def _build(wanted: Callable[[], list[tuple[GoSource, str]]]) -> None:
    if not wanted():
        return
    with exclusive_lock(paths.cache_folder() / "build.lock"):
        compiler = ensure_go()
        for source, command in wanted():  # asked anew: another builder may have been here first
            module = _module(compiler, source)
            with timed_step(f"{command} {source.version} built"):
                _compile(compiler, module, source=source, command=command)


def _module(compiler: Path, source: GoSource) -> Path:
    """An empty module that requires the source; kept, so that its checksums are looked up once."""
    module = paths.cache_folder() / "go" / source.folder
    if (module / "go.mod").exists():
        return module
    partial = module.with_name(module.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    lines = ["module devcluster.test/build", *_go_lines(compiler, source)]
    (partial / "go.mod").write_text("\n".join(lines) + "\n")
    with timed_step(f"{source.module} {source.version} downloaded"):
        _run(compiler, "mod", "download", source.module, within=partial)
    partial.rename(module)
    return module


def _go_lines(compiler: Path, source: GoSource) -> list[str]:
    download = json.loads(_run(compiler, "mod", "download", "-json", f"{source.module}@{source.version}"))
    theirs = json.loads(_run(compiler, "mod", "edit", "-json", download["GoMod"]))
    lines = [f"go {theirs['Go']}", f"require {source.module} {source.version}"]
    if source.module == KUBERNETES_MODULE:
        staging = "v0." + source.version.removeprefix("v1.")
        lines += [f"replace {path} => {path} {staging}" for path in local_replacements(theirs)]
    return lines


def local_replacements(go_mod: Mapping[str, Sequence[Mapping[str, Mapping[str, str]]]]) -> list[str]:
    """The modules that a parsed `go.mod` replaces by folders of its own repository."""
    replaced = go_mod.get("Replace") or []
    return [entry["Old"]["Path"] for entry in replaced if entry["New"]["Path"].startswith("./")]


def _compile(compiler: Path, module: Path, *, source: GoSource, command: str) -> None:
    package, target = _package(module, source=source, command=command), build_folder(source) / command
    partial = target.with_name(f".{command}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-trimpath", *STRIP_FLAGS, "-ldflags", link_flags(source)]
    _run(compiler, "build", *flags, "-o", str(partial), package, within=module)
    partial.rename(target)


def _package(module: Path, *, source: GoSource, command: str) -> str:
    """What to build: the module's own package, or a folder in our module with a main program of ours."""
    found = source.commands[command]
    if isinstance(found, str):
        return "/".join(part for part in (source.module, found) if part)
    (module / command).mkdir(exist_ok=True)
    (module / command / "main.go").write_text(found.program(source.module))
    return f"./{command}"


def link_flags(source: GoSource) -> str:
    """What the linker is told about a source: no symbols, and for Kubernetes its version."""
    flags = ["-s", "-w"]
    if source.module == KUBERNETES_MODULE:
        # Without these the server calls itself v0.0.0-master, and clients draw conclusions from that.
        _, minor, _ = source.version.split(".")
        told = {"gitVersion": source.version, "gitMajor": "1", "gitMinor": minor, "gitTreeState": "clean"}
        flags += [f"-X {_BUILD_INFO}.{key}={value}" for key, value in told.items()]
    return " ".join(flags)


def _run(compiler: Path, *arguments: str, within: Path | None = None) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOWORK": "off"}
    folder = within or paths.cache_folder()
    done = subprocess.run(
        [compiler, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        end = "\n".join((done.stderr or done.stdout).splitlines()[-20:])
        raise BuildFailed(f"go {' '.join(arguments)} failed in {folder}:\n{end}")
    return done.stdout

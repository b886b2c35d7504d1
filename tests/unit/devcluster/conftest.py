"""A cache folder of the test's own, with stand-ins for built binaries that record how they were called."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devcluster.build.go_build import build_folder
from devcluster.versions import SOURCES

Called = Callable[[], list[dict[str, Any]]]

RECORDER = """\
#!/usr/bin/env python3
import json, os, sys
names = {names!r}
call = dict(argv=sys.argv[1:], environment={{name: os.environ.get(name) for name in names}})
with open({record!r}, "a") as record:
    record.write(json.dumps(call) + chr(10))
print({says!r})
sys.exit({code})
"""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with nothing in it."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("VIDEOJOB_CACHE", str(cache))
    return cache


@pytest.fixture
def built(empty_cache: Path) -> Path:
    """A cache folder in which every binary of the table is there, though empty."""
    for source in SOURCES:
        folder = build_folder(source)
        folder.mkdir(parents=True, exist_ok=True)
        for command in source.commands:
            (folder / command).touch(mode=0o755)
    return empty_cache


def recorder(path: Path, *, says: str = "", code: int = 0, names: tuple[str, ...] = ()) -> Called:
    """Puts a program at `path` that writes down how it is called; returns a function that reads that."""
    record = path.with_name(path.name + ".calls")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RECORDER.format(names=list(names), record=str(record), says=says, code=code))
    path.chmod(0o755)

    def calls() -> list[dict[str, Any]]:
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []

    return calls


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on the PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder

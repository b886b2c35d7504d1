"""How much memory there is: the container's limit by either version of cgroups, or the machine's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from videojob_runner.system.memory import MemoryLimit, available_memory

MEMINFO = (
    "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    9000000 kB\nHugePages_Total:       0\n"
)
MACHINE = MemoryLimit(16_000_000 * 1024, 9_000_000 * 1024, "this machine's memory")


def room(
    folder: Path, *, version_2: dict[str, str] | None = None, version_1: dict[str, str] | None = None
) -> MemoryLimit:
    """What is found in a system with these files."""
    for name, files in (("v2", version_2), ("v1", version_1)):
        (folder / name).mkdir()
        for file, content in (files or {}).items():
            (folder / name / file).write_text(content)
    (folder / "meminfo").write_text(MEMINFO)
    found = available_memory(folder / "v2", folder / "v1", folder / "meminfo")
    assert found is not None
    return found


@pytest.mark.parametrize("limit", [None, "max\n"])
def test_without_a_limit_the_machine_s_memory_is_there(tmp_path: Path, limit: str | None) -> None:
    files = {} if limit is None else {"memory.max": limit, "memory.stat": "anon 5\n"}
    assert room(tmp_path, version_2=files) == MACHINE


def test_a_container_has_its_limit_and_what_its_processes_leave_of_it(tmp_path: Path) -> None:
    files = {"memory.max": "2147483648\n", "memory.stat": "anon 147483648\nfile 900000000\n"}
    assert room(tmp_path, version_2=files) == MemoryLimit(2_147_483_648, 2_000_000_000, "the container's limit")


def test_the_older_version_of_cgroups_says_the_same(tmp_path: Path) -> None:
    files = {"memory.limit_in_bytes": "2147483648\n", "memory.stat": "rss 1\ntotal_rss 147483648\n"}
    assert room(tmp_path, version_1=files) == MemoryLimit(2_147_483_648, 2_000_000_000, "the container's limit")


def test_no_limit_of_the_older_version_is_a_number_too(tmp_path: Path) -> None:
    files = {"memory.limit_in_bytes": "9223372036854771712\n", "memory.stat": "total_rss 5\n"}
    assert room(tmp_path, version_1=files) == MACHINE


def test_a_container_cannot_use_what_the_machine_has_no_more(tmp_path: Path) -> None:
    files = {"memory.max": "12000000000", "memory.stat": "anon 0"}
    assert room(tmp_path, version_2=files).available == MACHINE.available


def test_where_the_system_does_not_say_nobody_knows(tmp_path: Path) -> None:
    assert available_memory(tmp_path, tmp_path, tmp_path / "meminfo") is None


def test_this_system_says_it() -> None:
    found = available_memory()
    assert found is None or 0 < found.available <= found.total

"""
Memory limit of this process: the cgroup's, otherwise the machine's.

The limit stays the same for as long as a job lives on machines of one kind, what is free changes from moment to moment;
so decisions that change a picture may follow the first alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CGROUP2 = Path("/sys/fs/cgroup")
CGROUP1 = Path("/sys/fs/cgroup/memory")
MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """Memory in bytes."""

    total: int
    """All that this process may ever use."""
    available: int
    """What of it nobody uses at this moment."""
    description: str
    """Whose limit it is, for people."""


def available_memory(
    version_2: Path = CGROUP2, version_1: Path = CGROUP1, meminfo: Path = MEMINFO
) -> MemoryLimit | None:
    """What is there for programs on the CPU; None where the system does not say."""
    machine = machine_memory(meminfo)
    container = container_limit(version_2 / "memory.max", version_2 / "memory.stat", used="anon")
    container = container or container_limit(
        version_1 / "memory.limit_in_bytes", version_1 / "memory.stat", used="total_rss"
    )
    if machine is None or container is None or container.total >= machine.total:
        return machine or container
    return MemoryLimit(container.total, min(container.available, machine.available), container.description)


def container_limit(limit: Path, stat: Path, *, used: str) -> MemoryLimit | None:
    """The container's limit and what its processes leave of it; None without a limit. Files' pages give way."""
    try:
        most, numbers = int(limit.read_text()), dict(line.split() for line in stat.read_text().splitlines())
        return MemoryLimit(most, max(0, most - int(numbers[used])), "the container's limit")
    except (OSError, ValueError, KeyError):  # without a limit version 2 says "max"
        return None


def machine_memory(meminfo: Path) -> MemoryLimit | None:
    """The machine's own memory."""
    try:
        found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE))
        return MemoryLimit(int(found["MemTotal"]) * 1024, int(found["MemAvailable"]) * 1024, "this machine's memory")
    except (OSError, KeyError):
        return None

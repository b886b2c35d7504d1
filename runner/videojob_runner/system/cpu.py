"""How many threads a run gets: what its environment says, or the cores that its container may really use."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

CGROUP2_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
CGROUP1_CPU_QUOTA = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")


def thread_count(environment: Mapping[str, str]) -> int:
    """OMP_NUM_THREADS, or the cores this container may really use; torch alone would count the node's."""
    named = environment.get("OMP_NUM_THREADS", "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return max(1, math.ceil(min(cores, cpu_limit() or cores)))


def cpu_limit(version_2: Path = CGROUP2_CPU_MAX, version_1: Path = CGROUP1_CPU_QUOTA) -> float | None:
    """The container's CPU limit in cores, from its cgroup; None when it has none."""
    try:
        quota, period = version_2.read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = version_1.read_text(), version_1.with_name("cpu.cfs_period_us").read_text()
        except OSError:
            return None
    return None if quota == "max" or int(quota) <= 0 else int(quota) / int(period)

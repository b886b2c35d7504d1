"""
Which device the engine gets, how many threads, and the versions that explain a picture later.

Everything here imports torch, so only PROD and SETUP come here. A job with `accelerator: Required` never falls back to
the CPU: a silent week there costs more than a clear failure.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from videojob_api.layout import ACCELERATOR_VARIABLE

from videojob_runner.contract.errors import NoDevice
from videojob_runner.engine.device import Device

log = logging.getLogger(__name__)

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
DRIVER = Path("/proc/driver/nvidia/version")


def choose_device(environment: Mapping[str, str], *, cuda: Callable[[], str | None] | None = None) -> Device:
    """CUDA when it works, else the CPU; raises NoDevice when the environment requires an accelerator."""
    complaint = (cuda or cuda_complaint)()
    if complaint is not None and environment.get(ACCELERATOR_VARIABLE) == "Required":
        raise NoDevice(
            f"runner.accelerator is Required, but CUDA cannot be used: {complaint} (CUDA {torch.version.cuda} in this "
            f"image, driver {driver_version()}). Give the runner a GPU and a driver that is new enough, or say None."
        )
    threads = thread_count(environment)
    torch.set_num_threads(threads)
    versions = {"torch": torch.__version__, "threads": str(threads)}
    if complaint is not None:
        log.info("working on the CPU with %d threads: %s", threads, complaint)
        # Another set of instructions rounds otherwise, which guidance turns into another picture.
        return Device("cpu", {**versions, "device": "cpu", "cpuCapability": torch.backends.cpu.get_cpu_capability()})
    return Device("cuda", {**versions, "device": torch.cuda.get_device_name(0), "cuda": str(torch.version.cuda)})


def cuda_complaint() -> str | None:
    """Why CUDA cannot be used, or None when a number has really been computed there."""
    if not torch.cuda.is_available():
        return "no usable CUDA device is visible"
    try:
        torch.ones(8, device="cuda").sum().item()
    except RuntimeError as error:  # a GPU too old for this torch is only noticed here
        return str(error).partition("\n")[0]
    return None


def driver_version(path: Path = DRIVER) -> str:
    """The NVIDIA driver's version as the kernel tells it."""
    try:
        found = re.search(r"Kernel Module.*?(\d+\.\d+(?:\.\d+)?)", path.read_text())
    except OSError:
        return "not loaded"
    return found[1] if found else "unknown"


def thread_count(environment: Mapping[str, str]) -> int:
    """OMP_NUM_THREADS, or the cores this container may really use; torch alone would count the node's."""
    named = environment.get("OMP_NUM_THREADS", "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return max(1, math.ceil(min(cores, cpu_limit() or cores)))


def cpu_limit(version_2: Path = CPU_MAX, version_1: Path = CPU_QUOTA) -> float | None:
    """The container's CPU limit in cores, from its cgroup; None when it has none."""
    try:
        quota, period = version_2.read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = version_1.read_text(), version_1.with_name("cpu.cfs_period_us").read_text()
        except OSError:
            return None
    return None if quota == "max" or int(quota) <= 0 else int(quota) / int(period)

"""
Which device the engine gets, how many threads, and the versions that explain a picture later.

Everything here imports torch, so only PROD and SETUP come here. A job with `accelerator: Required` never falls back to
the CPU: a silent week there costs more than a clear failure.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from videojob_api.contract.layout import ACCELERATOR_VARIABLE

from videojob_runner.engine.device import TorchDevice
from videojob_runner.errors import NoDevice
from videojob_runner.system.cpu import thread_count

log = logging.getLogger(__name__)

DRIVER_VERSION_FILE = Path("/proc/driver/nvidia/version")


def choose_device(environment: Mapping[str, str], *, cuda: Callable[[], str | None] | None = None) -> TorchDevice:
    """CUDA when it works, else the CPU; raises NoDevice when the environment requires an accelerator."""
    complaint = (cuda or cuda_problem)()
    if complaint is not None and environment.get(ACCELERATOR_VARIABLE) == "Required":
        raise NoDevice(
            f"runner.accelerator is Required, but CUDA cannot be used: {complaint} (CUDA {torch.version.cuda} in this "
            f"image, driver {driver_version()}). Request a GPU with a recent enough driver, "
            "or set runner.accelerator to None."
        )
    threads = thread_count(environment)
    torch.set_num_threads(threads)
    versions = {"torch": torch.__version__, "threads": str(threads)}
    if complaint is not None:
        log.info("using the CPU with %d threads: %s", threads, complaint)
        # Another set of instructions rounds otherwise, which guidance turns into another picture.
        return TorchDevice(
            "cpu", {**versions, "device": "cpu", "cpuCapability": torch.backends.cpu.get_cpu_capability()}
        )
    return TorchDevice("cuda", {**versions, "device": torch.cuda.get_device_name(0), "cuda": str(torch.version.cuda)})


def cuda_problem() -> str | None:
    """Why CUDA cannot be used, or None when a number has really been computed there."""
    if not torch.cuda.is_available():
        return "no usable CUDA device is visible"
    try:
        torch.ones(8, device="cuda").sum().item()
    except RuntimeError as error:  # a GPU too old for this torch is only noticed here
        return str(error).partition("\n")[0]
    return None


def driver_version(path: Path = DRIVER_VERSION_FILE) -> str:
    """The NVIDIA driver's version as the kernel tells it."""
    try:
        found = re.search(r"Kernel Module.*?(\d+\.\d+(?:\.\d+)?)", path.read_text())
    except OSError:
        return "not loaded"
    return found[1] if found else "unknown"

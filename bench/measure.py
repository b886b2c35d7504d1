"""Seconds and megabytes of this process."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Timing:
    """What a piece of work took."""

    wall: float
    cpu: float
    """Of all threads; the steadier figure on a busy machine."""


@dataclass(frozen=True, slots=True)
class Meter:
    """The clock and the scales for work on one device."""

    device: str

    @property
    def on_cuda(self) -> bool:
        """Whether the device computes by itself while this process goes on."""
        return self.device.startswith("cuda")

    def timed(self, work: Callable[[], Result]) -> tuple[Result, Timing]:
        """The work's result, and its time until the device is done."""
        self.wait()
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.wait()
        return result, Timing(time.perf_counter() - wall, time.process_time() - cpu)

    def wait(self) -> None:
        """Until the device has nothing left to do."""
        if self.on_cuda:
            torch.cuda.synchronize(self.device)

    def memory(self) -> float:
        """MB in use: resident of this process, or what torch has allocated on CUDA."""
        return torch.cuda.memory_allocated(self.device) / 2**20 if self.on_cuda else resident_mb("VmRSS")

    def reset_peak(self) -> None:
        """Gives back what was freed, so that nobody works in the remains of loading; `peak` begins from here."""
        gc.collect()
        if self.on_cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM: man 5 proc_pid_clear_refs

    def peak(self) -> float:
        """The largest `memory` so far, in MB."""
        return torch.cuda.max_memory_allocated(self.device) / 2**20 if self.on_cuda else resident_mb("VmHWM")


def resident_mb(field: str) -> float:
    """MB of this process by the kernel's book: `VmRSS` now, `VmHWM` at most."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024

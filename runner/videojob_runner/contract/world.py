"""What a run takes from its process: environment, time, signals, engines and the device. Tests hand in their own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from videojob_runner.contract.engine import Engine
from videojob_runner.contract.engines import load_engine
from videojob_runner.contract.signals import StopFlag


@dataclass(frozen=True, slots=True)
class Device:
    """A torch device by name, and what to write down about it."""

    name: str
    versions: Mapping[str, str] = field(default_factory=dict)


def _choose_device(environment: Mapping[str, str]) -> Device:
    from videojob_runner.contract.device import choose_device  # noqa: PLC0415 - imports torch, which TEST must not

    return choose_device(environment)


@dataclass(frozen=True, kw_only=True)
class World:
    """What a run takes from its process; tests hand in their own."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    stop: StopFlag = field(default_factory=StopFlag)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    engine: Callable[[str], Engine[Any]] = load_engine
    device: Callable[[Mapping[str, str]], Device] = _choose_device

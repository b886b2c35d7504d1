"""What a run takes from its process: environment, time, signals, engines and the device. Tests hand in their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from videojob_runner.engine.api import Engine, Stop
from videojob_runner.engine.device import Device


@dataclass(frozen=True, kw_only=True)
class World:
    """What a run takes from its process; `run.main` and the tests fill it in."""

    environment: Mapping[str, str]
    stop: Stop
    clock: Callable[[], float]
    """Seconds that never go back."""
    sleep: Callable[[float], object]
    engine: Callable[[str], Engine[Any]]
    """The engine by its pipeline's name. Raises BadConfig."""
    device: Callable[[Mapping[str, str]], Device]
    """The device that the environment asks for. Raises NoDevice."""

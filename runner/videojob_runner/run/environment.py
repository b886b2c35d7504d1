"""What a run takes from its process: environment, time, signals, engines and the device. Tests hand in their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from videojob_runner.engine.api import Engine, StopSignal
from videojob_runner.engine.device import TorchDevice


@dataclass(frozen=True, kw_only=True)
class RuntimeEnvironment:
    """What a run takes from its process; `run.main` and the tests fill it in."""

    environment: Mapping[str, str]
    stop: StopSignal
    clock: Callable[[], float]
    """Seconds that never go back."""
    sleep: Callable[[float], object]
    load_engine: Callable[[str], Engine[Any]]
    """The engine by its pipeline's name. Raises BadConfig."""
    choose_device: Callable[[Mapping[str, str]], TorchDevice]
    """The device that the environment asks for. Raises NoDevice."""

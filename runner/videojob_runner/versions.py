"""The versions of what runs here, for STATUS.json and the manifest; engines and device add theirs."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

VERSION_VARIABLE = "VIDEOJOB_VERSION"
"""Set in images, where our code lies beside the libraries without being installed as a distribution."""

REPRODUCIBILITY_KEYS: Final = ("torch", "threads", "device", "cpuCapability")
"""Where one of these differs, so do the last bits of an engine's numbers, and later its frames."""


def program_versions(environment: Mapping[str, str]) -> dict[str, str]:
    """Versions by name; `unknown` for what is neither named by the environment nor installed."""
    return {
        "videojob": environment.get(VERSION_VARIABLE) or _installed("videojob"),
        "python": platform.python_version(),
        "pillow": _installed("pillow"),
        "numpy": _installed("numpy"),
    }


def describe_differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What of `REPRODUCIBILITY_KEYS` has changed since, in words; what was not recorded then is not judged."""
    changed = [name for name in REPRODUCIBILITY_KEYS if name in before and before[name] != now.get(name)]
    return [f"{name} was {before[name]} and is {now.get(name, 'unknown')}" for name in changed]


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"

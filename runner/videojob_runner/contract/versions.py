"""The versions of what runs here, for STATUS.json and the manifest; engines and device add theirs."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

VERSION_VARIABLE = "VIDEOJOB_VERSION"
"""Set in images, where our code lies beside the libraries without being installed as a distribution."""


def program_versions(environment: Mapping[str, str]) -> dict[str, str]:
    """Versions by name; `unknown` for what is neither named by the environment nor installed."""
    return {
        "videojob": environment.get(VERSION_VARIABLE) or _installed("videojob"),
        "python": platform.python_version(),
        "pillow": _installed("pillow"),
        "numpy": _installed("numpy"),
    }


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"

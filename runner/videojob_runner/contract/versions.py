"""The versions of what runs here, for STATUS.json and the manifest; engines and device add theirs."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_DISTRIBUTIONS = ("videojob", "pillow", "numpy")


def program_versions() -> dict[str, str]:
    """Versions by name; `unknown` for our own where the distribution is not installed."""
    found = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found

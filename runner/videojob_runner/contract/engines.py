"""Finding an engine by its pipeline's name: the entry-point group `videojob.engines`, or our own table uninstalled."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from videojob_runner.contract.engine import Engine
from videojob_runner.contract.errors import BadConfig

GROUP = "videojob.engines"

BUILT_IN = {"vqganClip": "videojob_runner.engines.vqgan_clip:VqganClip"}
"""The same as in pyproject.toml, for images and checkouts where the distribution is not installed."""


def engine_names() -> list[str]:
    """Every engine that can be named."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def load_engine(name: str) -> Engine[Any]:
    """The engine called `name`, imported and made. Raises BadConfig when there is none or it lacks its libraries."""
    installed = {point.name: point for point in entry_points(group=GROUP)}
    built_in = {name: EntryPoint(name=name, value=value, group=GROUP) for name, value in BUILT_IN.items()}
    point = (built_in | installed).get(name)
    if point is None:
        raise BadConfig(
            f"this image has no engine for it, only for {', '.join(engine_names())}; "
            "name another pipeline, or an image that brings its own program",
            field=f"pipeline.{name}",
        )
    try:
        return point.load()()  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        raise BadConfig(f"this image lacks {error.name}, which {name} needs", field="runner.image") from error

"""
Finding an engine by its pipeline's name: a folder below `videojob_runner.engines`, or the entry-point group
`videojob.engines` of another distribution, which goes first.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from typing import Any

from videojob_api.validation.core import camel_case

from videojob_runner.engine.api import Engine
from videojob_runner.errors import BadConfig

ENTRY_POINT_GROUP = "videojob.engines"

ENGINES = "videojob_runner.engines"


def built_in_engines() -> dict[str, str]:
    """The engines of this package, as `module:class` by pipeline: `text_to_video` holds `TextToVideo`."""
    names = [module.name for module in iter_modules(import_module(ENGINES).__path__)]
    return {(camel := camel_case(name)): f"{ENGINES}.{name}:{camel[0].upper()}{camel[1:]}" for name in names}


def engine_names() -> list[str]:
    """Every engine that can be named."""
    return sorted({*built_in_engines(), *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})


def load_engine(name: str) -> Engine[Any]:
    """The engine called `name`, imported and made. Raises BadConfig when there is none or it lacks its libraries."""
    installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    built_in = {
        name: EntryPoint(name=name, value=value, group=ENTRY_POINT_GROUP) for name, value in built_in_engines().items()
    }
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

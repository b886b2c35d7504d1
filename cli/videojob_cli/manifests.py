"""Reading a VideoJob from a file: what is wrong with it is said with the field's path, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from videojob_api.base import KIND
from videojob_api.videojob import VideoJob


class BadManifest(Exception):
    """The file holds no VideoJob that could run; the message names field, value and remedy."""


def read_videojob(path: Path) -> VideoJob:
    """The one VideoJob in a YAML file; others (a claim, a Secret) are passed over. Raises BadManifest."""
    found = [item for item in _documents(path) if isinstance(item, dict) and item.get("kind") == KIND]
    if len(found) != 1:
        raise BadManifest(f"{path} must hold exactly one {KIND}, not {len(found)}")
    try:
        return VideoJob.model_validate(found[0])
    except ValidationError as error:
        raise BadManifest(f"{path}:\n" + "\n".join(_line(item) for item in error.errors())) from error


def _documents(path: Path) -> list[Any]:
    try:
        return list(yaml.safe_load_all(path.read_text()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadManifest(f"{path} cannot be read: {error}") from error


def _line(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    return f"  {where}: {error['msg']}"

"""Reads a VideoJob from a file and validates it with the models from which the CRD is generated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from videojob_api.base import KIND
from videojob_api.resource.videojob import VideoJob

from videojob_cli.errors import CommandFailed


def load_videojob(path: Path) -> VideoJob:
    """The one VideoJob in the file; other kinds beside it are passed over. Raises CommandFailed."""
    try:
        documents = [body for body in yaml.safe_load_all(path.read_text()) if body]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandFailed(f"{path} cannot be read: {error}") from error
    found = [body for body in documents if isinstance(body, dict) and body.get("kind") == KIND]
    if len(found) != 1:
        raise CommandFailed(f"{path} must contain exactly one {KIND}; found {len(found)}")
    return _checked(found[0], path)


def _checked(body: dict[str, Any], path: Path) -> VideoJob:
    try:
        return VideoJob.model_validate(body)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise CommandFailed(f"{path} is not a valid {KIND}:\n" + "\n".join(lines)) from error

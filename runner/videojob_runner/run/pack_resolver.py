"""The model packs behind a pipeline's roles: built into the image, or brought in as an input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from videojob_api.resource.spec import ModelSource

from videojob_runner.errors import BadConfig, BadInput, UnsafeCheckpoint

PACKS_VARIABLE = "VIDEOJOB_PACKS"
DESCRIPTION = "pack.json"


def built_in_packs(environment: Mapping[str, str]) -> Path:
    """Where the built-in packs lie: as the environment says, or in the package itself."""
    named = environment.get(PACKS_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[1] / "models" / "builtin"


class PackResolver:
    """The folders of a job's packs by role (`engine.api.ModelResolver`)."""

    def __init__(self, sources: Iterable[ModelSource], *, inputs: Path, built_in: Path) -> None:
        self._sources = {source.role: source for source in sources}
        self._inputs = inputs
        self._built_in = built_in

    def folder(self, role: str, *, default: str) -> Path:
        """The folder for `role`. Raises BadInput when it holds no pack, UnsafeCheckpoint when the digest differs."""
        source = self._sources.get(role)
        folder = self._built_in / default if source is None else self._place(source, default=default)
        description = folder / DESCRIPTION
        if not description.is_file():
            raise BadInput(f"models.{role}: there is no pack in {folder}: {DESCRIPTION} is missing")
        if source is not None and source.digest is not None:
            _check_digest(description, source.digest, role=role)
        return folder

    def _place(self, source: ModelSource, *, default: str) -> Path:
        if source.input is None:
            return self._built_in / (source.builtin or default)
        root = self._inputs.resolve()
        folder = (root / source.input).resolve()
        if not folder.is_relative_to(root):
            raise BadConfig(f"{source.input!r} lies outside the input folder", field=f"models.{source.role}.input")
        return folder


def _check_digest(description: Path, promised: str, *, role: str) -> None:
    found = hashlib.sha256(description.read_bytes()).hexdigest()
    if found != promised.removeprefix("sha256:"):
        raise UnsafeCheckpoint(f"models.{role}: {description} has sha256:{found}, not {promised} as the job says")

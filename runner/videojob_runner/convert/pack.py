"""A pack folder written whole or not at all: `model.safetensors` and `pack.json`."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save_file
from torch import Tensor

from videojob_runner.contract.errors import BadConfig, BadInput
from videojob_runner.models.packs import PACK_FILE, WEIGHTS, Kind, Pack, PackedFile, PackManifest, PackName, described

UNSTATED: Final = "NOASSERTION"
"""SPDX's word for a licence that nobody has stated."""
MODEL_FILE: Final = f"model{WEIGHTS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to convert into what."""

    checkpoint: Path
    output: Path
    """The pack's folder, which must not exist; its name becomes the pack's."""
    licence: str = UNSTATED
    """SPDX expression of the weights."""
    sha256: str | None = None
    """What the checkpoint must have, as its publisher says: 64 hex digits."""
    inert: tuple[str, ...] = ()
    """Full names of classes in the checkpoint that are harmless; see `imports`."""

    def check(self) -> None:
        """Raises BadConfig for what would only come out after gigabytes are read."""
        try:
            TypeAdapter(PackName).validate_python(self.output.name)
        except ValidationError as error:
            name = self.output.name
            raise BadConfig(
                f"{name!r} is no name for a pack; at most 63 of a-z, 0-9, dot and dash", field="output"
            ) from error
        if self.output.exists():
            raise BadConfig(f"{str(self.output)!r} exists; remove it or choose another folder", field="output")

    def source(self) -> PackedFile:
        """Size and digest of the checkpoint. Raises BadInput when it is missing or not the one that was promised."""
        try:
            found = described(self.checkpoint)
        except OSError as error:
            raise BadInput(f"{str(self.checkpoint)!r} cannot be read: {error.strerror or error}") from error
        if self.sha256 is not None and found.sha256 != self.sha256.lower():
            raise BadInput(
                f"{self.checkpoint.name!r} has sha256 {found.sha256} instead of {self.sha256}: "
                "another file, or a download that is not whole"
            )
        return found


def write_pack(
    request: Request,
    tensors: Mapping[str, Tensor],
    *,
    kind: Kind,
    sources: Mapping[str, PackedFile],
    architecture: Mapping[str, Any],
) -> Pack:
    """Writes the pack and opens it. Raises OSError when there is no room."""
    with appearing(request.output) as folder:
        weights = folder / MODEL_FILE
        save_file(dict(tensors), weights)
        weights.chmod(0o644)  # safetensors writes for its owner alone
        manifest = PackManifest(
            api_version="packs.videojobs.dev/v1",
            name=request.output.name,
            kind=kind,
            licence=request.licence,
            architecture=dict(architecture),
            files={weights.name: described(weights)},
            sources=dict(sources),
        )
        document = manifest.model_dump(mode="json", by_alias=True, exclude_unset=True)
        (folder / PACK_FILE).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return Pack.open(request.output, kind=kind)


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends well, and vanishes when it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    growing = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield growing
        growing.chmod(0o755)  # mkdtemp makes it for its owner alone
        growing.rename(folder)
    finally:
        shutil.rmtree(growing, ignore_errors=True)

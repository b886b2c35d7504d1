"""A pack folder written whole or not at all: `model.safetensors` and `pack.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors.torch import save_file
from torch import Tensor

from videojob_runner.atomic import atomic_folder
from videojob_runner.models.packs.reader import (
    PACK_FILE,
    WEIGHTS_SUFFIX,
    Pack,
    PackedFile,
    PackKind,
    PackManifest,
    file_info,
)

MODEL_FILE: Final = f"model{WEIGHTS_SUFFIX}"


def write_pack(
    folder: Path,
    tensors: Mapping[str, Tensor],
    *,
    kind: PackKind,
    licence: str,
    sources: Mapping[str, PackedFile],
    architecture: Mapping[str, Any],
) -> Pack:
    """Writes the pack into `folder`, whose name becomes its own, and opens it. Raises OSError when there is no room."""
    with atomic_folder(folder) as growing:
        weights = growing / MODEL_FILE
        save_file(dict(tensors), weights)
        weights.chmod(0o644)  # safetensors writes for its owner alone
        manifest = PackManifest(
            api_version="packs.videojobs.dev/v1",
            name=folder.name,
            kind=kind,
            licence=licence,
            architecture=dict(architecture),
            files={weights.name: file_info(weights)},
            sources=dict(sources),
        )
        document = manifest.model_dump(mode="json", by_alias=True, exclude_unset=True)
        (growing / PACK_FILE).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return Pack.open(folder, kind=kind)

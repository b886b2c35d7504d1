"""Trained weights as a pack: a folder with safetensors and `pack.json`, which names each file's size and digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from videojob_runner.training.state import TrainingState, network_tensors, write_tensors

API_VERSION: Final = "packs.videojobs.dev/v1"
PACK_FILE, WEIGHTS_FILE = "pack.json", "weights.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackDescription:
    """What `pack.json` says beside the files."""

    name: str
    kind: str
    licence: str = "Apache-2.0"
    """SPDX expression of the weights."""
    architecture: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    """How the weights were made, for people."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """What they can do, measured, for people."""


def export_networks(
    folder: Path,
    networks: Mapping[str, nn.Module],
    description: PackDescription,
    *,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Writes networks as a pack; tensors are called `<network>.<tensor>`. See `export_pack`."""
    export_pack(folder, network_tensors(networks), description, dtype=dtype)


def export_pack(
    folder: Path, tensors: Mapping[str, Tensor], description: PackDescription, *, dtype: torch.dtype = torch.float16
) -> None:
    """
    Writes tensors as a pack into `folder`: floating-point ones in `dtype`, others as they are.

    `pack.json` is written last. Raises OverflowError if a finite weight is infinite in `dtype`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / WEIGHTS_FILE
    write_tensors(weights, {name: _cast(name, tensor, dtype) for name, tensor in tensors.items()})
    write_pack_file(folder, [weights], description)


def export_training(folder: Path, state: TrainingState, description: PackDescription) -> None:
    """Writes a training's whole state as a pack into an empty folder, for `context.InitialCheckpoint`."""
    folder.mkdir(parents=True, exist_ok=True)
    state.save(folder)
    write_pack_file(folder, sorted(folder.iterdir()), description)


def write_pack_file(folder: Path, files: Iterable[Path], description: PackDescription) -> None:
    """Writes `pack.json`, which makes a pack of `files` in `folder`."""
    document = {
        "apiVersion": API_VERSION,
        "name": description.name,
        "kind": description.kind,
        "licence": description.licence,
        "architecture": dict(description.architecture),
        "defaults": dict(description.defaults),
        "files": {path.name: {"size": path.stat().st_size, "sha256": file_digest(path)} for path in files},
        "training": dict(description.training),
        "card": dict(description.card),
    }
    (folder / PACK_FILE).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def file_digest(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cast(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    cast = tensor.detach().to(dtype)
    if bool((cast.isinf() & ~tensor.isinf()).any()):
        raise OverflowError(f"{name}: a weight is too large for {dtype}; export it as bfloat16 or float32")
    return cast

"""
A pack is a folder with `pack.json` and weights in safetensors, nothing that can run code.

`pack.json` says what the weights are (kind, architecture, licence, defaults for guidance) and names every file with its
size and sha256; the sha256 of `pack.json` itself is therefore the digest of the whole pack. Opening a pack checks all
of it before a byte is parsed as weights. What is dangerous or other than promised is an UnsafeCheckpoint, what is
merely wrong a BadInput.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import torch
from pydantic import Field, StringConstraints, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from videojob_api.base import Document

from videojob_runner.errors import BadInput, UnsafeCheckpoint

PACK_FILE: Final = "pack.json"
MAX_PACK_FILE_BYTES: Final = 1 << 20
"""Bytes of `pack.json` beyond which nobody means it."""
WEIGHTS_SUFFIX: Final = ".safetensors"
PICKLE_SUFFIXES: Final = (".bin", ".ckpt", ".pkl", ".pt", ".pth")
"""Suffixes of formats that run code when loaded."""

PackKind = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
"""What a pack is for, such as `vqgan`, `clip`, `upscaler`; each loader asks for its own."""
PackName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""A plain name beside `pack.json`: no folders, no leading dot or dash."""


class PackedFile(Document):
    """What a file of the pack must be, or what one was that it came from."""

    size: Annotated[int, Field(ge=0)]
    """Bytes."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class PackManifest(Document):
    """Contents of `pack.json`."""

    api_version: Literal["packs.videojobs.dev/v1"]
    name: PackName
    kind: PackKind
    licence: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """SPDX expression of the weights."""
    architecture: dict[str, Any] = {}
    """Read by the kind's loader."""
    defaults: dict[str, Any] = {}
    """Settings of guidance that suit these weights; read by the engine."""
    files: Annotated[dict[FileName, PackedFile], Field(min_length=1)]
    sources: dict[Annotated[str, StringConstraints(min_length=1, max_length=255)], PackedFile] = {}
    """The files, by name, that `videojob pack convert` made the pack from; they are no part of it."""
    training: Any = None
    """How the weights were made; for people."""
    card: Any = None
    """What the weights can do, measured; for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A pack whose every file is what `pack.json` promises."""

    folder: Path
    manifest: PackManifest = field(hash=False)  # `digest` stands for it
    digest: str
    """`sha256:` and 64 hex digits over `pack.json`."""

    @classmethod
    def open(cls, folder: Path, *, kind: PackKind) -> Pack:
        """Reads and checks the pack in `folder`. Raises BadInput or UnsafeCheckpoint."""
        content = read_pack_file(folder)
        manifest = parse_manifest(content, folder)
        if manifest.kind != kind:
            raise BadInput(f"pack {manifest.name!r} is of kind {manifest.kind!r}, but this role needs {kind!r}")
        for name, promised in manifest.files.items():
            check_file(folder / name, promised)
        return cls(folder=folder, manifest=manifest, digest=f"sha256:{hashlib.sha256(content).hexdigest()}")

    @property
    def name(self) -> str:
        """The pack's own name."""
        return self.manifest.name

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of the pack's safetensors files by name, on the CPU, as stored."""
        merged: dict[str, Tensor] = {}
        for name in sorted(name for name in self.manifest.files if name.endswith(WEIGHTS_SUFFIX)):
            part = load_safetensors(self.folder / name)
            if twice := merged.keys() & part.keys():
                raise BadInput(f"pack {self.name!r}: tensor {min(twice)!r} is contained in more than one file")
            merged |= part
        if not merged:
            raise BadInput(
                f"pack {self.name!r} has no tensors; list a {WEIGHTS_SUFFIX} file under `files` in {PACK_FILE}"
            )
        return merged


def read_pack_file(folder: Path) -> bytes:
    """The bytes of `pack.json`. Raises BadInput when it is missing or absurdly large."""
    path = folder / PACK_FILE
    if not path.is_file():
        raise BadInput(f"there is no {PACK_FILE} in the model folder {folder.name!r}; convert the weights into a pack")
    if path.stat().st_size > MAX_PACK_FILE_BYTES:
        raise BadInput(f"{PACK_FILE} of {folder.name!r} is larger than {MAX_PACK_FILE_BYTES} bytes")
    return path.read_bytes()


def parse_manifest(content: bytes, folder: Path) -> PackManifest:
    """The manifest in `content`. Raises BadInput, or UnsafeCheckpoint for files that could run code."""
    try:
        manifest = PackManifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or PACK_FILE
        raise BadInput(f"{PACK_FILE} of {folder.name!r}: {where}: {first['msg']}") from error
    for name in manifest.files:
        if name.lower().endswith(PICKLE_SUFFIXES):
            raise UnsafeCheckpoint(
                f"pack {manifest.name!r}: {name!r} can run code when loaded; convert it to {WEIGHTS_SUFFIX}"
            )
    return manifest


def check_file(path: Path, promised: PackedFile) -> None:
    """Raises BadInput for a missing file and UnsafeCheckpoint for one of another size or digest, or a link."""
    if path.is_symlink():
        raise UnsafeCheckpoint(f"{path.name!r} is a link; a pack may contain only regular files")
    if not path.is_file():
        raise BadInput(f"the pack lists {path.name!r}, but there is no such file next to {PACK_FILE}")
    if path.stat().st_size != promised.size:
        raise UnsafeCheckpoint(f"{path.name!r} has {path.stat().st_size} bytes instead of {promised.size}")
    found = file_info(path).sha256
    if found != promised.sha256:
        raise UnsafeCheckpoint(f"{path.name!r} has sha256 {found} instead of {promised.sha256}")


def file_info(path: Path) -> PackedFile:
    """Size and sha256 of a file."""
    with path.open("rb") as file:
        return PackedFile(size=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def load_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of one safetensors file. Raises BadInput when it is none."""
    try:
        return load_file(path)
    except SafetensorError as error:
        raise BadInput(f"{path.name!r} is not a valid safetensors file: {error}") from error


def to_float32(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors with half, bfloat16 and double as float32; integers stay."""
    return {
        name: tensor.to(torch.float32) if tensor.is_floating_point() else tensor for name, tensor in tensors.items()
    }

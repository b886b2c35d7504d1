"""
Tensors out of pickled checkpoints, without running anything that a checkpoint brings.

What torch.save and TorchScript write is a zip archive: `data.pkl` says how the object is put together, `data/<key>` are
the bytes of its tensors. The names in the pickle are judged first (`imports`); then torch's own restricted unpickler
reads it (`weights_only`), with placeholders for classes that are not loaded. A TorchScript archive also carries code,
which would be compiled and partly run: its pickle and tensors are read as those of any checkpoint, its code never.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, Final

import torch
from torch import Tensor

from videojob_runner.convert.pickle_imports import Placeholder, placeholders
from videojob_runner.errors import BadInput, UnsafeCheckpoint

PICKLE_NAME, CONSTANTS_NAME = "data.pkl", "constants.pkl"
MAX_PICKLE_BYTES: Final = 64 << 20
"""Bytes of `data.pkl`, which names tensors and does not hold them, beyond which nobody means it."""
LEGACY_MAGIC: Final = b"\x80\x02"
"""How a file begins that torch before 1.6 wrote: a pickle without an archive around it."""
ENCRYPTED_FLAG: Final = 0x1
"""The zip format's flag."""
MAX_MODULE_DEPTH: Final = 32
"""Levels of modules within modules."""
CORRUPTION_ERRORS: Final = (
    AssertionError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
    struct.error,
)
"""All that torch raises when a pickle or its tensors make no sense."""


def load_state_dict(path: Path, *, placeholder_classes: Collection[str] = ()) -> dict[str, Tensor]:
    """
    The state dict in a file written by torch.save or TorchScript: a Lightning checkpoint's, or the object itself.

    Tensors are on the CPU and mapped from the file where possible, so that a checkpoint may be larger than memory.
    `placeholder_classes` names further classes to be read as placeholders. Raises BadInput for what is no such file and
    UnsafeCheckpoint for what could run code.
    """
    with open_archive(path) as archive:
        root = archive_root(archive, path)
        content = archive.read(f"{root}{PICKLE_NAME}")
        stand_ins = placeholders(content, inert=placeholder_classes)
        if f"{root}{CONSTANTS_NAME}" not in archive.namelist():
            return extract_state_dict(unpickle_restricted(path, stand_ins, mmap=True), path)
        with tempfile.TemporaryFile() as plain:
            copy_without_code(archive, root, plain)
            return extract_state_dict(unpickle_restricted(plain, stand_ins, mmap=False), path)


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive. Raises BadInput when it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        with path.open("rb") as file:
            head = file.read(24)
        if head.startswith(LEGACY_MAGIC):
            raise BadInput(f"{path.name!r} uses the pre-1.6 torch format; save it again with torch ≥ 1.6") from error
        raise BadInput(
            f"{path.name!r} is not a checkpoint: {error}; it begins with {head!r}; was the download complete?"
        ) from error
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error.strerror or error}") from error


def archive_root(archive: zipfile.ZipFile, path: Path) -> str:
    """The folder of the pickle within a plain archive, with its slash. Raises BadInput or UnsafeCheckpoint."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    roots = [
        name.removesuffix(PICKLE_NAME) for name in names if name.count("/") <= 1 and name.endswith(f"/{PICKLE_NAME}")
    ]
    if len(roots) != 1:
        raise BadInput(
            f"{path.name!r} is a zip archive, but not one of torch: "
            f"it contains {len(roots)} {PICKLE_NAME} instead of one"
        )
    ours = [entry for entry in entries if is_plain_member(entry.filename.removeprefix(roots[0]))]
    plain = all(entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & ENCRYPTED_FLAG for entry in ours)
    if len(set(names)) != len(names) or not plain:
        raise UnsafeCheckpoint(
            f"{path.name!r} contains compressed, encrypted or duplicate tensors, which torch never writes"
        )
    if archive.getinfo(f"{roots[0]}{PICKLE_NAME}").file_size > MAX_PICKLE_BYTES:
        raise UnsafeCheckpoint(f"{PICKLE_NAME} of {path.name!r} is larger than {MAX_PICKLE_BYTES} bytes")
    return roots[0]


def is_plain_member(name: str) -> bool:
    """Whether a file of the archive is part of a plain checkpoint; code and constants of TorchScript are not."""
    return name in (PICKLE_NAME, "version", "byteorder") or name.startswith("data/")


def copy_without_code(archive: zipfile.ZipFile, root: str, plain: IO[bytes]) -> None:
    """Writes the TorchScript archive without its code, so that it is a plain checkpoint."""
    with zipfile.ZipFile(plain, "w", zipfile.ZIP_STORED) as target:
        for name in archive.namelist():
            if is_plain_member(name.removeprefix(root)):
                with archive.open(name) as source, target.open(name, "w", force_zip64=True) as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
    plain.seek(0)


def unpickle_restricted(source: Path | IO[bytes], stand_ins: Mapping[str, type], *, mmap: bool) -> Any:
    """What the restricted unpickler makes of the checkpoint. Raises BadInput."""
    allowed: list[Any] = [(stand_in, name) for name, stand_in in stand_ins.items()]
    try:
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(source, map_location="cpu", weights_only=True, mmap=mmap)
    except CORRUPTION_ERRORS as error:
        raise BadInput(f"the checkpoint cannot be read: {str(error).splitlines()[0]}") from error


def extract_state_dict(loaded: object, path: Path) -> dict[str, Tensor]:
    """The tensors by name. Raises BadInput when there are none."""
    if isinstance(loaded, Placeholder):
        return dict(iter_scripted_tensors(loaded, path, seen=set()))
    entries = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else loaded
    if not isinstance(entries, dict) or not entries:
        raise BadInput(f"{path.name!r} contains no state dict, but a value of type {type(entries).__name__}")
    for name, tensor in entries.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise BadInput(f"{path.name!r} contains no state dict: its entry {name!r} is a {type(tensor).__name__}")
    return dict(entries)


def iter_scripted_tensors(
    module: Placeholder, path: Path, *, seen: set[int], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of a TorchScript module and those in it. Raises BadInput for one that holds itself."""
    if id(module) in seen or depth > MAX_MODULE_DEPTH or not isinstance(module.state, dict):
        raise BadInput(
            f"{path.name!r} does not contain a module tree: {prefix.removesuffix('.') or 'its root'!r} is invalid"
        )
    seen.add(id(module))
    for name, value in module.state.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, Placeholder):
            yield from iter_scripted_tensors(value, path, seen=seen, prefix=f"{prefix}{name}.", depth=depth + 1)

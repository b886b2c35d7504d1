"""
Sources of inputs: bytes of an S3 object, of a mounted claim, or of the spec itself.

A source yields named streams: one for an object, a text or a file, many for a folder on a claim. Nothing is read into
memory as a whole, and every error is an AgentError.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from videojob_api.messages.plan import InputPlan
from videojob_api.resource.storage import S3Object

from videojob_agent.errors import EndpointUnreachable, InputNotFound, UnsafePath
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_agent.stores.s3_client import create_s3_client, translate_errors

CHUNK_BYTES = 1 << 20
MAX_DEPTH = 16
"""Maximum depth of folders inside an input."""
_ABSENT = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR)

ByteStream = Iterator[bytes]


def open_streams(plan: InputPlan, *, credentials_root: Path | None) -> Iterator[tuple[str, ByteStream]]:
    """Yield name below `input/` and content of each file of an input; consume them one after the other."""
    item = plan.input
    if item.inline is not None:
        yield item.path, iter([item.inline.encode()])
    elif item.s3 is not None:
        yield item.path, _object(item.s3, credentials_root=credentials_root)
    elif item.pvc is not None and plan.mount_path is not None:
        yield from _mounted(Path(plan.mount_path), item.pvc.sub_path, name=item.path)
    else:
        raise InputNotFound("holds neither s3 nor inline, and no claim is mounted for it")


def _object(source: S3Object, *, credentials_root: Path | None) -> ByteStream:
    with translate_errors(source, source.key):
        client = create_s3_client(source, credentials_root=credentials_root)
        yield from client.get_object(Bucket=source.bucket, Key=source.key)["Body"].iter_chunks(CHUNK_BYTES)


def _mounted(root: Path, sub_path: str | None, *, name: str) -> Iterator[tuple[str, ByteStream]]:
    """The file or directory `sub_path` of the claim mounted at `root`, or the entire claim."""
    with _translate_os_errors(root / (sub_path or "")), SafeDirectory.open(root) as claim:
        if sub_path and claim.is_file(sub_path):
            yield name, _file(claim, sub_path)
            return
        with claim.subdirectory(sub_path) if sub_path else nullcontext(claim) as folder:
            for path in _names(folder):
                yield f"{name}/{path}", _file(folder, path)


def _names(folder: SafeDirectory) -> list[str]:
    """The files of a directory, sorted. Raises UnsafePath for any other entry."""
    names = []
    for entry in folder.walk(depth=MAX_DEPTH):
        if entry.problem:
            raise UnsafePath(entry.problem)
        names.append(entry.name)
    return sorted(names)


def _file(folder: SafeDirectory, name: str) -> ByteStream:
    with _translate_os_errors(folder.path / name), folder.open_file(name) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


@contextmanager
def _translate_os_errors(path: Path) -> Iterator[None]:
    """Translate OSErrors into AgentErrors."""
    try:
        yield
    except OSError as error:
        kind = InputNotFound if error.errno in _ABSENT else EndpointUnreachable
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise kind(f"{path}: {reason}") from error

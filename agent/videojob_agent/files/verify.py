"""A stream of bytes against what was promised of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from videojob_agent.errors import DigestMismatch, SizeMismatch


def verify_stream(stream: Iterator[bytes], *, size: int | None, sha256: str | None) -> Iterator[bytes]:
    """`stream` itself; raises SizeMismatch or DigestMismatch instead of ending when it is not what was promised."""
    digest, seen = hashlib.sha256(), 0
    for chunk in stream:
        digest.update(chunk)
        seen += len(chunk)
        if size is not None and seen > size:
            break
        yield chunk
    if size is not None and seen != size:
        raise SizeMismatch(f"sizeBytes says {size}, found {'more' if seen > size else seen}")
    wanted = sha256.removeprefix("sha256:") if sha256 else None
    if wanted is not None and digest.hexdigest() != wanted:
        raise DigestMismatch(f"sha256 says {wanted}, found {digest.hexdigest()}")

"""Verifies the size and the digest of a stream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from videojob_agent.errors import DigestMismatch, SizeMismatch


def verify_stream(stream: Iterator[bytes], *, size: int | None, sha256: str | None) -> Iterator[bytes]:
    """Yield `stream`; raise SizeMismatch or DigestMismatch at its end if it does not match `size` and `sha256`."""
    digest, received = hashlib.sha256(), 0
    for chunk in stream:
        digest.update(chunk)
        received += len(chunk)
        if size is not None and received > size:
            break
        yield chunk
    if size is not None and received != size:
        raise SizeMismatch(f"sizeBytes says {size}, found {'more' if received > size else received}")
    expected = sha256.removeprefix("sha256:") if sha256 else None
    if expected is not None and digest.hexdigest() != expected:
        raise DigestMismatch(f"sha256 says {expected}, found {digest.hexdigest()}")

"""
Output store in an S3 bucket: objects below a prefix.

S3 has no rename, but an object becomes visible only when it is complete. The manifest is put with the condition that
its key does not exist; for services without conditional writes the key is checked first. Write permission is probed by
creating a multipart upload and aborting it, which needs the same right and leaves nothing behind.
"""

from __future__ import annotations

import io
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from typing_extensions import Buffer
from videojob_api.contract.layout import MANIFEST
from videojob_api.resource.storage import S3Prefix

from videojob_agent.errors import AlreadyCommitted, CredentialsRefused, InputNotFound
from videojob_agent.stores.s3_client import (
    UNSUPPORTED_CODES,
    S3ClientOptions,
    create_s3_client,
    error_code,
    translate_errors,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIN_PART_BYTES = 16 * 1024**2
MAX_PARTS = 9000
"""Maximum number of parts per upload; S3 allows 10,000."""
PARALLEL_PARTS = 4
BUFFER_BYTES = 1 << 20
_HIDDEN = frozenset({"AccessDenied"})
"""AWS's error codes for a missing key if the caller may not list the bucket."""
_IF_NONE_MATCH_UNSUPPORTED = UNSUPPORTED_CODES | {"InvalidArgument", "InvalidRequest", "400"}


class S3Store:
    """A store below a prefix of a bucket. Credentials are files below `credentials_root`, or the process's own."""

    def __init__(
        self, prefix: S3Prefix, *, credentials_root: Path | None, options: S3ClientOptions | None = None
    ) -> None:
        self._prefix = prefix
        self._credentials_root = credentials_root
        self._options = options
        self._client: S3Client | None = None
        self._lock = threading.Lock()

    def probe(self) -> None:
        """Create a multipart upload and abort it."""
        bucket, key = self._prefix.bucket, self._prefix.prefix + ".probe"
        with self._client_context() as client:
            try:
                upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
            except ClientError as error:
                if error_code(error) in UNSUPPORTED_CODES:
                    return
                raise
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)

    def put(self, source: BinaryIO, *, name: str, size: int) -> None:
        """Upload, in parts if `size` requires it; a failed upload is aborted."""
        part = part_size(size)
        config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=PARALLEL_PARTS)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        with self._client_context() as client:
            client.upload_fileobj(
                io.BufferedReader(_NonClosingReader(source), BUFFER_BYTES),
                self._prefix.bucket,
                self._prefix.prefix + name,
                ExtraArgs={"ContentType": kind},
                Config=config,
            )

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the object in chunks."""
        with self._client_context() as client:
            response = client.get_object(Bucket=self._prefix.bucket, Key=self._prefix.prefix + name)
            yield from response["Body"].iter_chunks(BUFFER_BYTES)

    def read_bytes(self, name: str) -> bytes | None:
        """The object's bytes."""
        try:
            return b"".join(self.read(name))
        except InputNotFound:
            return None
        except CredentialsRefused as error:
            if isinstance(error.__cause__, ClientError) and error_code(error.__cause__) in _HIDDEN:
                return None
            raise

    def list_names(self, prefix: str) -> list[str]:
        """Keys below a prefix, relative to the store's prefix."""
        with self._client_context() as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self._prefix.bucket, Prefix=self._prefix.prefix + prefix
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [key.removeprefix(self._prefix.prefix) for key in keys]

    def remove(self, name: str) -> None:
        """Delete the object; one per request, because some services do not support batches."""
        with self._client_context() as client:
            client.delete_object(Bucket=self._prefix.bucket, Key=self._prefix.prefix + name)

    def manifest(self) -> bytes | None:
        """The manifest's bytes; None if it does not exist or is hidden by missing rights."""
        return self.read_bytes(MANIFEST)

    def commit(self, manifest: bytes) -> None:
        """Put the manifest if its key does not exist."""
        if self.manifest() is not None:
            raise AlreadyCommitted(f"s3://{self._prefix.bucket}/{self._prefix.prefix}{MANIFEST} exists")
        with self._client_context() as client:
            try:
                self._put_manifest(client, manifest, only_if_free=True)
            except ClientError as error:
                if error_code(error) not in _IF_NONE_MATCH_UNSUPPORTED:
                    raise
                self._put_manifest(client, manifest, only_if_free=False)

    def _put_manifest(self, client: S3Client, manifest: bytes, *, only_if_free: bool) -> None:
        key, bucket = self._prefix.prefix + MANIFEST, self._prefix.bucket
        if only_if_free:
            client.put_object(Bucket=bucket, Key=key, Body=manifest, ContentType="application/json", IfNoneMatch="*")
        else:
            client.put_object(Bucket=bucket, Key=key, Body=manifest, ContentType="application/json")

    @contextmanager
    def _client_context(self) -> Iterator[S3Client]:
        """The client; replaced after an error, so that the next one uses current credentials and addresses."""
        with translate_errors(self._prefix, self._prefix.prefix):
            with self._lock:
                client = self._client = self._client or create_s3_client(
                    self._prefix, credentials_root=self._credentials_root, options=self._options
                )
            try:
                yield client
            except (BotoCoreError, ClientError):
                self._client = None
                raise


class _NonClosingReader(io.RawIOBase):
    """A view of a file that its owner closes: the transfer manager closes what it is given."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        content = self._source.read(len(view))
        view[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()


def part_size(size: int) -> int:
    """Bytes of each part of an upload of `size` bytes: as few parts as S3's limit and memory allow."""
    return max(MIN_PART_BYTES, -(-size // MAX_PARTS))

"""
Creates S3 clients that work with S3-compatible services, and translates their errors.

Credentials are read from the Secret's files whenever a client is created, so a rotated Secret takes effect with the
next client. With an endpoint: path-style addresses, signature v4 including the body's digest (many services reject the
newer checksums, and the signed digest verifies every part as well). Without credentials requests are unsigned, for
public inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError
from botocore.parsers import ResponseParserError
from videojob_api.resource.storage import S3Location

from videojob_agent.errors import (
    AgentError,
    AlreadyCommitted,
    BucketNotFound,
    CredentialsRefused,
    EndpointUnreachable,
    InputNotFound,
    StorageRefused,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NOT_FOUND = frozenset({"NoSuchKey", "404", "NotFound"})
_NO_BUCKET = frozenset({"NoSuchBucket", "InvalidBucketName"})
_EXISTS = frozenset({"PreconditionFailed", "412"})
_RETRYABLE_CODES = frozenset(
    {
        "409",
        "ConditionalRequestConflict",  # two writes at once: says nothing of which one has won
        "NoSuchUpload",  # forgotten in a restart, or completed by a request whose answer was lost
        "OperationAborted",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
    }
)
_FORBIDDEN = frozenset(
    {
        "AccessDenied",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidSecurity",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "XAdminUserNotFound",  # versitygw's code for an unknown access key, with status 404
    }
)
UNSUPPORTED_CODES = frozenset({"NotImplemented", "501", "MethodNotAllowed", "405"})
"""Error codes of services that do not support a request or a header."""


@dataclass(frozen=True, kw_only=True, slots=True)
class S3ClientOptions:
    """Timeouts of a request, in seconds, and the number of tries."""

    max_attempts: int = 6
    """Tries with short delays, for lost responses; callers retry for longer."""
    connect_timeout: float = 10
    """Also the maximum time a send may be blocked."""
    read_timeout: float = 60
    """Long, because many services assemble the parts of a large video before they respond."""


def create_s3_client(
    location: S3Location, *, credentials_root: Path | None, options: S3ClientOptions | None = None
) -> S3Client:
    """A new client for the bucket's service. Raises CredentialsRefused if the Secret's files are missing."""
    credentials = location.credentials if credentials_root else None  # a local run has its own identity instead
    keys = _keys(credentials_root / credentials.secret_name) if credentials_root and credentials else {}
    session = boto3.session.Session(
        aws_access_key_id=keys.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=keys.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=keys.get("AWS_SESSION_TOKEN"),
        region_name=location.region,
    )
    region = session.region_name or "us-east-1"
    return session.client(
        "s3",
        region_name=region,
        endpoint_url=location.endpoint,
        config=_config(
            options or S3ClientOptions(),
            custom_endpoint=bool(location.endpoint),
            signed=bool(session.get_credentials()),
        ),
    )


def _keys(folder: Path) -> dict[str, str]:
    """The Secret's keys by name."""
    names = {"AWS_ACCESS_KEY_ID": True, "AWS_SECRET_ACCESS_KEY": True, "AWS_SESSION_TOKEN": False}
    keys: dict[str, str] = {}
    for name, required in names.items():
        try:
            keys[name] = (folder / name).read_text().strip()
        except OSError as error:
            if required:
                message = f"secret {folder.name!r} must hold {name}: {error.strerror}"
                raise CredentialsRefused(message) from error
        except UnicodeDecodeError:
            keys[name] = "\0"
        if not keys.get(name, "").isprintable():  # would stand in a header, and in an error's text
            raise CredentialsRefused(f"secret {folder.name!r}: {name} must be one line of text; is it encoded twice?")
    return keys


def _config(options: S3ClientOptions, *, custom_endpoint: bool, signed: bool) -> Config:
    common: dict[str, Any] = {
        "connect_timeout": options.connect_timeout,
        "read_timeout": options.read_timeout,
        "retries": {"mode": "standard", "total_max_attempts": options.max_attempts},
        "signature_version": "s3v4" if signed else UNSIGNED,
    }
    if not custom_endpoint:
        return Config(**common)
    return Config(
        **common,
        s3={"addressing_style": "path", "payload_signing_enabled": True},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


@contextmanager
def translate_errors(location: S3Location, key: str) -> Iterator[None]:
    """Translate boto3's errors in the block into AgentErrors that name bucket and key (or prefix)."""
    where = f"s3://{location.bucket}/{key} at {location.endpoint or 'AWS'}"
    try:
        yield
    except ClientError as error:
        raise to_agent_error(error, where) from error
    except CredentialRetrievalError as error:
        raise CredentialsRefused(f"{where}: {error}") from error
    except BotoCoreError as error:
        raise EndpointUnreachable(f"{where}: {_without_path(error)}") from error
    except (ResponseParserError, KeyError) as error:  # a page of something that stands before the service
        raise EndpointUnreachable(f"{where}: the response is not from an S3 service: {str(error)[:100]}") from error


def _without_path(error: BotoCoreError) -> str:
    """The error text without its URL's path and query, which differ for each file and part."""
    url = str(error.kwargs.get("endpoint_url", ""))
    parts = urlsplit(url)
    return str(error).replace(url, f"{parts.scheme}://{parts.netloc}") if url else str(error)


def to_agent_error(error: ClientError, where: str) -> AgentError:
    """The AgentError for an error response of the service."""
    code, status = error_code(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = error.response.get("Error", {}).get("Message") or code
    if code in _NO_BUCKET:
        return BucketNotFound(f"{where}: {message}; create the bucket or correct its name")
    if code in _EXISTS:
        return AlreadyCommitted(f"{where}: {message}")
    if code in _NOT_FOUND:
        return InputNotFound(f"{where}: {message}")
    if code in _RETRYABLE_CODES or status == 429 or (status >= 500 and code not in UNSUPPORTED_CODES):
        return EndpointUnreachable(f"{where}: {message} (HTTP {status})")
    if code in _FORBIDDEN or status in (401, 403):
        return CredentialsRefused(f"{where}: {code}: {message}; check the Secret's keys and their permissions")
    return StorageRefused(f"{where}: {code}: {message} (HTTP {status})")


def error_code(error: ClientError) -> str:
    """The service's error code."""
    return str(error.response.get("Error", {}).get("Code", ""))

"""Locations of inputs and outputs: S3 and PersistentVolumeClaims, with shared reference types."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from videojob_api.base import CONTROL_CHARACTERS, SAFE_PATH, Document, RelativePath
from videojob_api.validation.core import Rule
from videojob_api.validation.objects import exactly_one, value_requires
from videojob_api.validation.values import UniqueBy, not_matching, total_bytes

MAX_INLINE_BYTES = 32 * 1024
"""Maximum total size of all inline inputs in bytes; they are passed in the pod's environment."""

SAFE_PREFIX = not_matching(
    rf"(^|/)\.{{1,2}}(/|$)|^/|//|{CONTROL_CHARACTERS}",
    "must be a relative prefix without empty parts, '.', '..' or control characters, like 'videos/'",
)
NOT_CONFIG_JSON = not_matching(r"^config\.json(/|$)", "config.json is written by the operator; choose another name")

Sha256 = Annotated[str, StringConstraints(pattern=r"^(sha256:)?[0-9a-f]{64}$", max_length=71)]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
Endpoint = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9._:\[\]-]+$", max_length=253)]


class SecretRef(Document):
    """Reference to a Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and optionally AWS_SESSION_TOKEN."""

    secret_name: ObjectName
    """Name of the Secret, in the namespace of the job."""


class S3Location(Document):
    """S3 service, bucket and credentials."""

    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", max_length=63)]
    """Name of the bucket: 3 to 63 lower-case letters, digits, dots and hyphens."""
    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9._:\[\]-]+$", max_length=253)] | None = (
        None
    )
    """URL of the service, such as https://minio.example.com:9000. Defaults to AWS. http only if the operator allows
    it."""
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=63)] | None = None
    """Region used to sign requests, such as eu-central-1. Defaults to the service's default region."""
    credentials: SecretRef | None = None
    """Secret with the credentials. Defaults to the identity of the pod."""


class S3Object(S3Location):
    """One object in a bucket."""

    key: Annotated[str, StringConstraints(max_length=1024), SAFE_PATH]
    """Key of the object."""


class S3Prefix(S3Location):
    """All keys of a bucket that start with a prefix."""

    prefix: Annotated[str, StringConstraints(max_length=512), SAFE_PREFIX] = ""
    """Prefix of the keys, such as videos/. Defaults to the whole bucket."""


class VolumeClaim(Document):
    """A path on a PersistentVolumeClaim of the job's namespace."""

    claim_name: ObjectName
    """Name of the PersistentVolumeClaim."""
    sub_path: RelativePath | None = None
    """Path on the volume. Defaults to its root."""


InputPath = Annotated[RelativePath, NOT_CONFIG_JSON]


class Input(Document):
    """File or folder provided below `/video_io/input`; its source is exactly one of s3, pvc, inline."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("s3", "pvc", "inline"),
        value_requires("access", "Mount", needs="pvc"),
    )
    path: InputPath
    """Destination path relative to the input folder; must be unique among the inputs."""
    s3: S3Object | None = None
    """An object in a bucket."""
    pvc: VolumeClaim | None = None
    """A file or folder on a PersistentVolumeClaim."""
    inline: Annotated[str, StringConstraints(max_length=MAX_INLINE_BYTES)] | None = None
    """Content of the file as text; all inline inputs together are limited to 32 KiB."""
    sha256: Sha256 | None = None
    """Expected SHA-256 digest of the file; the job fails if it differs."""
    size_bytes: Annotated[int, Field(ge=0, le=2**53 - 1)] | None = None
    """Expected size of the file in bytes; the job fails if it differs."""
    access: Literal["Copy", "Mount"] = "Copy"
    """Copy: copied into the scratch volume. Mount: the claim is mounted read-only in the runner."""


Inputs = Annotated[list[Input], Field(max_length=64), UniqueBy("path"), total_bytes("inline", limit=MAX_INLINE_BYTES)]


class Output(Document):
    """Destination of frames, video and manifest: exactly one of s3, pvc."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("s3", "pvc"),)
    s3: S3Prefix | None = None
    """A bucket, optionally with a prefix."""
    pvc: VolumeClaim | None = None
    """A PersistentVolumeClaim, optionally with a path."""
    layout: Literal["PerRun", "Flat"] = "PerRun"
    """PerRun: in <name>/<uid>/, so runs never mix. Flat: in the destination itself; fails if it has another job's
    manifest."""

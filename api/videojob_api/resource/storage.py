"""Places that bytes come from and go to: S3 and volume claims, the same reference types everywhere."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from videojob_api.base import CONTROL_CHARACTERS, SAFE_PATH, Document, RelativePath
from videojob_api.validation.core import Rule
from videojob_api.validation.objects import exactly_one, value_requires
from videojob_api.validation.values import UniqueBy, not_matching, total_bytes

MAX_INLINE_BYTES = 32 * 1024
"""Bytes of all inline inputs together: they travel in the pod's environment."""

SAFE_PREFIX = not_matching(
    rf"(^|/)\.{{1,2}}(/|$)|^/|//|{CONTROL_CHARACTERS}",
    "must be a relative prefix without empty parts, '.', '..' or control characters, like 'videos/'",
)
NOT_CONFIG_JSON = not_matching(r"^config\.json(/|$)", "config.json is written by the operator; choose another name")

Sha256 = Annotated[str, StringConstraints(pattern=r"^(sha256:)?[0-9a-f]{64}$", max_length=71)]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
Endpoint = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9._:\[\]-]+$", max_length=253)]


class SecretRef(Document):
    """A Secret beside the job, with keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and optionally AWS_SESSION_TOKEN."""

    secret_name: ObjectName
    """Name of the Secret, in the namespace of the job."""


class S3Location(Document):
    """Which S3 service, which bucket, whose credentials."""

    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", max_length=63)]
    """Name of the bucket: 3 to 63 lower-case letters, digits, dots and hyphens."""
    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9._:\[\]-]+$", max_length=253)] | None = (
        None
    )
    """Address of the service, like https://minio.example.com:9000. Absent: AWS. http only where the operator allows."""
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=63)] | None = None
    """Region to sign for, like eu-central-1. Absent: the service's default."""
    credentials: SecretRef | None = None
    """Absent: the identity of the pod itself."""


class S3Object(S3Location):
    """One object of a bucket."""

    key: Annotated[str, StringConstraints(max_length=1024), SAFE_PATH]
    """Key of the object."""


class S3Prefix(S3Location):
    """All keys of a bucket below a prefix."""

    prefix: Annotated[str, StringConstraints(max_length=512), SAFE_PREFIX] = ""
    """What the keys begin with, like videos/. Absent: the whole bucket."""


class VolumeClaim(Document):
    """A path on a PersistentVolumeClaim of the job's namespace."""

    claim_name: ObjectName
    """Name of the PersistentVolumeClaim."""
    sub_path: RelativePath | None = None
    """Path on the volume. Absent: its root."""


InputPath = Annotated[RelativePath, NOT_CONFIG_JSON]


class Input(Document):
    """One thing below `/video_io/input` when the runner starts; exactly one of s3, pvc, inline says from where."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("s3", "pvc", "inline"),
        value_requires("access", "Mount", needs="pvc"),
    )
    path: InputPath
    """Where it will lie, relative to the input folder. No two inputs share a path."""
    s3: S3Object | None = None
    """An object in a bucket."""
    pvc: VolumeClaim | None = None
    """A file or folder on a volume claim."""
    inline: Annotated[str, StringConstraints(max_length=MAX_INLINE_BYTES)] | None = None
    """The text itself; all inline inputs together at most 32 KiB."""
    sha256: Sha256 | None = None
    """Digest of the file. The job fails when it differs."""
    size_bytes: Annotated[int, Field(ge=0, le=2**53 - 1)] | None = None
    """Size of the file in bytes. The job fails when it differs."""
    access: Literal["Copy", "Mount"] = "Copy"
    """Copy into the job's scratch volume, or Mount the claim read-only in the runner."""


Inputs = Annotated[list[Input], Field(max_length=64), UniqueBy("path"), total_bytes("inline", limit=MAX_INLINE_BYTES)]


class Output(Document):
    """Where frames, video and manifest go: exactly one of s3, pvc."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("s3", "pvc"),)
    s3: S3Prefix | None = None
    """A bucket."""
    pvc: VolumeClaim | None = None
    """A volume claim."""
    layout: Literal["PerRun", "Flat"] = "PerRun"
    """PerRun: below <name>/<uid>/, so runs never mix. Flat: right there, refused where another job's manifest lies."""

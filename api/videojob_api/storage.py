"""Places that bytes come from and go to: S3 and volume claims, the same reference types everywhere."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from videojob_api.base import Document

Sha256 = Annotated[str, StringConstraints(pattern=r"^(sha256:)?[0-9a-f]{64}$", max_length=71)]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
RelativePath = Annotated[str, StringConstraints(min_length=1, max_length=255)]
"""Slash-separated names below a root: no absolute path, no `..`, no control character (VJ-72)."""


class SecretRef(Document):
    """A Secret beside the job: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, optional AWS_SESSION_TOKEN."""

    secret_name: ObjectName


class S3Location(Document):
    """Which S3 service, which bucket, whose credentials; absent credentials mean the pod's own identity."""

    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", max_length=63)]
    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#@\s]+$", max_length=253)] | None = None
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=63)] | None = None
    credentials: SecretRef | None = None


class S3Object(S3Location):
    """One object of a bucket."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class S3Prefix(S3Location):
    """All keys of a bucket below a prefix."""

    prefix: Annotated[str, StringConstraints(max_length=512)] = ""


class Claim(Document):
    """A path on a PersistentVolumeClaim of the job's namespace."""

    claim_name: ObjectName
    sub_path: RelativePath | None = None


class Input(Document):
    """One thing below `/video_io/input`; exactly one of s3, pvc, inline."""

    path: RelativePath
    s3: S3Object | None = None
    pvc: Claim | None = None
    inline: Annotated[str, StringConstraints(max_length=32768)] | None = None
    sha256: Sha256 | None = None
    size_bytes: Annotated[int, Field(ge=0)] | None = None
    access: Literal["Copy", "Mount"] = "Copy"


class Output(Document):
    """Where the video goes; exactly one of s3, pvc."""

    s3: S3Prefix | None = None
    pvc: Claim | None = None
    layout: Literal["PerRun", "Flat"] = "PerRun"

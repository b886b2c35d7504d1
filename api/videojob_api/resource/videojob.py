"""The VideoJob resource: metadata, spec, status."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from videojob_api.base import LenientDocument
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.status import VideoJobStatus
from videojob_api.validation.problems import InvalidDocument, field_problems


class Metadata(LenientDocument):
    """The fields of ObjectMeta that are read. Names have at most 52 characters, so that suffixes can be added."""

    name: Annotated[str, Field(max_length=52, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    namespace: str = "default"
    uid: str | None = None
    generation: int | None = None
    resource_version: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class VideoJob(LenientDocument):
    """A VideoJob as written in a manifest or stored by the API server."""

    api_version: Literal["videojobs.dev/v1alpha1"]
    kind: Literal["VideoJob"]
    metadata: Metadata
    spec: VideoJobSpec
    status: VideoJobStatus | dict[str, Any] | None = None


def parse_videojob(manifest: Mapping[str, Any]) -> VideoJob:
    """Parse a manifest with the rules of `kubectl apply`. Raise InvalidDocument with all problems."""
    try:
        return VideoJob.model_validate(dict(manifest), by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidDocument(*field_problems(error)) from None

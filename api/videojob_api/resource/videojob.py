"""The resource itself: metadata, spec, status."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from videojob_api.base import LenientDocument
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.status import VideoJobStatus
from videojob_api.validation.problems import InvalidDocument, field_problems


class Metadata(LenientDocument):
    """The part of ObjectMeta we look at. The name leaves room for our suffixes: at most 52 characters."""

    name: Annotated[str, Field(max_length=52, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    namespace: str = "default"
    uid: str | None = None
    generation: int | None = None
    resource_version: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class VideoJob(LenientDocument):
    """A VideoJob as it stands in a manifest or on the API server."""

    api_version: Literal["videojobs.dev/v1alpha1"]
    kind: Literal["VideoJob"]
    metadata: Metadata
    spec: VideoJobSpec
    status: VideoJobStatus | dict[str, Any] | None = None


def parse_videojob(manifest: Mapping[str, Any]) -> VideoJob:
    """
    The VideoJob in a manifest, judged as `kubectl apply` would judge it. Raises InvalidDocument with every problem.
    """
    try:
        return VideoJob.model_validate(dict(manifest), by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidDocument(*field_problems(error)) from None

"""`manifest.json`: the list of everything published, whose writing is the commit (VJ-41)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from videojob_api.base import LenientDocument, RelativePath
from videojob_api.messages.plan import JobRef

MANIFEST_API_VERSION: Literal["manifest.videojobs.dev/v1"] = "manifest.videojobs.dev/v1"
MAX_ARTIFACTS = 32
"""Of one job."""


class ManifestFile(LenientDocument):
    """One published file, named relative to the manifest."""

    path: str
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ManifestArtifact(LenientDocument):
    """A folder among the files that other jobs may use as an input."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    kind: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    """pack, dataset or report."""
    path: RelativePath
    """Relative to the manifest, like `artifacts/line`."""
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """Of what `sha256sum` prints for its files in the order of their paths, relative to the folder."""


class Manifest(LenientDocument):
    """Published files with sizes and digests, and the tools that produced them."""

    api_version: Literal["manifest.videojobs.dev/v1"] = MANIFEST_API_VERSION
    job: JobRef
    created: datetime
    frames: Annotated[int, Field(ge=0)]
    videos: list[str]
    files: list[ManifestFile]
    artifacts: list[ManifestArtifact] = []
    versions: dict[str, str] = {}
    """Tools and settings of the run (videojob, torch, ffmpeg, device, seed …), copied from STATUS.json."""

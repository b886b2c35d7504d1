"""
Checkpoint documents: the runner's marker in each checkpoint, and the index of the checkpoints at the output.

The runner writes `complete` into a checkpoint's folder, last. The agent copies that folder to the output, and then an
index that lists every file with size and sha256; a checkpoint counts there when the index says so. The index is
replaced as a whole, so it always speaks of files that lie there.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from videojob_api.base import LenientDocument
from videojob_api.contract.layout import CHECKPOINTS
from videojob_api.contract.manifest import ManifestFile

CHECKPOINTS_API_VERSION: Literal["checkpoints.videojobs.dev/v1"] = "checkpoints.videojobs.dev/v1"

MARKER_FILE = "complete"
"""The file that makes a checkpoint's folder a checkpoint; a `CheckpointMarker`."""
FOLDER_PATTERN = r"^step-[0-9]{1,18}$"
"""Folder name of a checkpoint; later steps sort later."""
INDEX_FILE = "index.json"
GENERATIONS_KEPT = 2
"""Number of checkpoints kept, by the runner and at the output."""


MAX_CHECKPOINT_FILES, MAX_CHECKPOINT_BYTES = 256, 16 * 1024**3
"""Of one checkpoint that the agent brings to the output."""


class CheckpointMarker(LenientDocument):
    """The content of `complete`."""

    uid: str
    digest: str
    """Digest of the configuration; checkpoints of another configuration are ignored."""
    step: Annotated[int, Field(ge=0)]
    seed: int
    frames: Annotated[int, Field(ge=0)] = 0
    """Number of frames, counted from the first, that the checkpoint depends on."""
    versions: dict[str, str] = {}
    """torch, threads, device …: on a CPU a resumed run is byte-equal only where these are equal."""


class PublishedCheckpoint(LenientDocument):
    """One checkpoint at the output."""

    folder: Annotated[str, StringConstraints(pattern=FOLDER_PATTERN)]
    step: Annotated[int, Field(ge=0)]
    frames: Annotated[int, Field(ge=0)]
    """It counts on so many of the index's frames, from the first on."""
    files: Annotated[list[ManifestFile], Field(min_length=1)]
    """Named relative to the folder."""


class CheckpointIndex(LenientDocument):
    """Index of the checkpoints from which an attempt can resume."""

    api_version: Literal["checkpoints.videojobs.dev/v1"] = CHECKPOINTS_API_VERSION
    uid: str
    checkpoints: list[PublishedCheckpoint] = []
    """Newest first."""
    frames: list[ManifestFile] = []
    """The frames that the checkpoints count on, in order, named relative to the output."""


def checkpoint_prefix(uid: str) -> str:
    """Folder of a job's checkpoints and their index, relative to the output; ends with `/`."""
    return f"{CHECKPOINTS}/{uid}/"

"""Observed state of a VideoJob: `VideoJob.status`, written by the operator (VJ-29, VJ-30)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from videojob_api.base import LenientDocument
from videojob_api.validation.values import UniqueBy

CONDITION_TYPES = (
    "Accepted",
    "Running",
    "OutputPublished",
    "Succeeded",
    "Suspended",
    "ProgressReporting",
    "Reconciling",
    "Stalled",
)

DEFAULT_CONDITIONS = tuple(
    {
        "type": kind,
        "status": "Unknown",
        "reason": "Pending",
        "message": "Waiting for the operator.",
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    }
    for kind in ("Accepted", "Reconciling", "Succeeded")
)
"""Conditions of a new object until the operator has observed it; CRD defaults must be constant, hence the date."""


class Condition(LenientDocument):
    """One aspect of the job's state; clients should rely on conditions."""

    type: Annotated[str, Field(max_length=64)]
    """Type of the condition, such as Accepted, Running, OutputPublished, Succeeded, Suspended, Stalled."""
    status: Literal["True", "False", "Unknown"]
    """Status of the condition: True, False or Unknown."""
    reason: Annotated[str, Field(max_length=128)]
    """Machine-readable reason for the status, in CamelCase."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """Human-readable explanation of the status."""
    observed_generation: int | None = None
    """Generation of the spec on which this condition is based."""
    last_transition_time: datetime
    """Time of the last change of the status."""


class ProgressStatus(LenientDocument):
    """Latest progress report of the running attempt."""

    state: Annotated[str, Field(max_length=32)]
    """State of the runner: starting, running, checkpointing, finishing, done or failed."""
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Completed share of the work, in percent."""
    frames_done: int | None = None
    """Number of finished frames."""
    frames_total: int | None = None
    """Number of requested frames."""
    frames: Annotated[str, Field(max_length=32)] | None = None
    """Finished and requested frames, as `done/total`."""
    eta_seconds: int | None = None
    """Estimated remaining time in seconds."""
    message: Annotated[str, Field(max_length=256)] = ""
    """Latest message of the runner."""
    sequence: int = 0
    """Sequence number of the report; increases within one attempt."""
    observed_time: datetime | None = None
    """Time at which the progress was observed."""
    source: Literal["push", "termination"] = "push"
    """push: reported while running. termination: read from the terminated pod."""


class AttemptStatus(LenientDocument):
    """One attempt: a pod that was started for the job."""

    number: int
    """Number of the attempt, starting at 1."""
    pod: Annotated[str, Field(max_length=253)]
    """Name of the pod."""
    node: Annotated[str, Field(max_length=253)] | None = None
    """Name of the node the pod ran on."""
    reason: Annotated[str, Field(max_length=128)] = ""
    """Reason for the end of the attempt."""
    exit_code: int | None = None
    """Exit code of the runner."""
    started: datetime | None = None
    """Time at which the runner started."""
    finished: datetime | None = None
    """Time at which the attempt ended."""


class OutputStatus(LenientDocument):
    """Published output and its location."""

    url: Annotated[str, Field(max_length=1024)]
    """URL of the output, such as s3://bucket/prefix/ or pvc://claim/path/."""
    manifest_digest: Annotated[str, Field(max_length=71)] | None = None
    """SHA-256 digest of manifest.json, which is written last."""
    frames: int = 0
    """Number of published frames."""
    bytes: int = 0
    """Published bytes."""
    videos: Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=8)] = []
    """Paths of the published videos, relative to url."""


class VideoJobStatus(LenientDocument):
    """Observed state of a VideoJob, written only by the operator."""

    observed_generation: int = -1
    """Generation of the spec observed by the operator; -1 until the object was observed."""
    state: Annotated[str, Field(max_length=32)] | None = None
    """Human-readable summary; programs should use the conditions."""
    conditions: Annotated[list[Condition], Field(max_length=12), UniqueBy("type")] = []
    """Conditions of the job; wait with `kubectl wait --for=condition=Succeeded`."""
    attempt: int = 0
    """Number of the latest attempt, starting at 1; 0 before the first."""
    attempts: Annotated[list[AttemptStatus], Field(max_length=3)] = []
    """Latest attempts, at most 3."""
    disruptions: int = 0
    """Number of attempts ended by disruptions, not by failures of the job."""
    job_name: Annotated[str, Field(max_length=63)] | None = None
    """Name of the child Job."""
    start_time: datetime | None = None
    """Time at which the first runner started."""
    completion_time: datetime | None = None
    """Time at which the job succeeded or failed."""
    progress: ProgressStatus | None = None
    """Latest progress report."""
    output: OutputStatus | None = None
    """Published output and its location."""

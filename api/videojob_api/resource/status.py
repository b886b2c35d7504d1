"""`VideoJob.status`: what the operator writes (VJ-29, VJ-30)."""

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
"""What a new object shows until the operator has seen it; a default must be constant, hence the date."""


class Condition(LenientDocument):
    """One aspect of the job, as True, False or Unknown; conditions are the contract."""

    type: Annotated[str, Field(max_length=64)]
    """Which aspect, like Accepted, Running, OutputPublished, Succeeded, Suspended, Stalled."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=128)]
    """Why, in one CamelCase word for programs."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """Why, for people."""
    observed_generation: int | None = None
    """The generation of the spec this is about."""
    last_transition_time: datetime
    """When the status last changed."""


class ProgressStatus(LenientDocument):
    """The newest report of the running attempt."""

    state: Annotated[str, Field(max_length=32)]
    """What the runner is doing: starting, running, checkpointing, finishing, done, failed."""
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    """How much of the work is done."""
    frames_done: int | None = None
    """Frames finished."""
    frames_total: int | None = None
    """Frames wanted."""
    frames: Annotated[str, Field(max_length=32)] | None = None
    """Frames finished and wanted, as `done/total`."""
    eta_seconds: int | None = None
    """Estimated seconds to the end."""
    message: Annotated[str, Field(max_length=256)] = ""
    """What the runner says about it."""
    sequence: int = 0
    """Number of the report; rises within one attempt."""
    observed_time: datetime | None = None
    """When this was so."""
    source: Literal["push", "termination"] = "push"
    """push: reported while running. termination: read from the ended pod."""


class AttemptStatus(LenientDocument):
    """One pod that was started for the job."""

    number: int
    """Counts from 1."""
    pod: Annotated[str, Field(max_length=253)]
    """Name of the pod."""
    node: Annotated[str, Field(max_length=253)] | None = None
    """Node it ran on."""
    reason: Annotated[str, Field(max_length=128)] = ""
    """Why it ended."""
    exit_code: int | None = None
    """Exit code of the runner."""
    started: datetime | None = None
    """When its runner started."""
    finished: datetime | None = None
    """When it ended."""


class OutputStatus(LenientDocument):
    """What was published, and where."""

    url: Annotated[str, Field(max_length=1024)]
    """The place, like s3://bucket/prefix/ or pvc://claim/path/."""
    manifest_digest: Annotated[str, Field(max_length=71)] | None = None
    """sha256 of manifest.json, which is written last."""
    frames: int = 0
    """Frames published."""
    bytes: int = 0
    """Bytes published."""
    videos: Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=8)] = []
    """Videos published, relative to the place."""


class VideoJobStatus(LenientDocument):
    """What the operator has seen and done; written by it alone."""

    observed_generation: int = -1
    """The generation of the spec this status is about; -1 until the operator has seen the object."""
    state: Annotated[str, Field(max_length=32)] | None = None
    """A word for people; programs look at the conditions."""
    conditions: Annotated[list[Condition], Field(max_length=12), UniqueBy("type")] = []
    """Every aspect of the job; wait with `kubectl wait --for=condition=Succeeded`."""
    attempt: int = 0
    """Number of the newest attempt, from 1."""
    attempts: Annotated[list[AttemptStatus], Field(max_length=3)] = []
    """The newest attempts."""
    disruptions: int = 0
    """How many attempts ended without a fault of their own."""
    job_name: Annotated[str, Field(max_length=63)] | None = None
    """The batch Job that does the work."""
    start_time: datetime | None = None
    """When the first runner started."""
    completion_time: datetime | None = None
    """When the job ended, well or badly."""
    progress: ProgressStatus | None = None
    """The newest report."""
    output: OutputStatus | None = None
    """What was published, and where."""

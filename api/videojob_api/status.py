"""`VideoJob.status`: what the operator writes (VJ-29, VJ-30)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from videojob_api.base import OpenDocument

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

FIRST_CONDITIONS = tuple(
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


class Condition(OpenDocument):
    """metav1.Condition."""

    type: Annotated[str, Field(max_length=64)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, Field(max_length=128)]
    message: Annotated[str, Field(max_length=1024)] = ""
    observed_generation: int | None = None
    last_transition_time: datetime


class Progress(OpenDocument):
    """The newest report, bounded."""

    state: Annotated[str, Field(max_length=32)]
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    frames_done: int | None = None
    frames_total: int | None = None
    frames: Annotated[str, Field(max_length=32)] | None = None
    """`done/total`, for the printer column."""
    eta_seconds: int | None = None
    message: Annotated[str, Field(max_length=256)] = ""
    sequence: int = 0
    observed_time: datetime | None = None
    source: Literal["push", "termination"] = "push"


class Attempt(OpenDocument):
    """One pod that was started for the job."""

    number: int
    pod: Annotated[str, Field(max_length=253)]
    node: Annotated[str, Field(max_length=253)] | None = None
    reason: Annotated[str, Field(max_length=128)] = ""
    exit_code: int | None = None
    started: datetime | None = None
    finished: datetime | None = None


class OutputStatus(OpenDocument):
    """What was published and where."""

    url: Annotated[str, Field(max_length=1024)]
    manifest_digest: Annotated[str, Field(max_length=71)] | None = None
    frames: int = 0
    bytes: int = 0
    videos: Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=8)] = []


class VideoJobStatus(OpenDocument):
    """The whole status; conditions are the contract, `state` is a word for people."""

    observed_generation: int = -1
    state: Annotated[str, Field(max_length=32)] | None = None
    conditions: Annotated[list[Condition], Field(max_length=12)] = []
    attempt: int = 0
    attempts: Annotated[list[Attempt], Field(max_length=3)] = []
    disruptions: int = 0
    job_name: Annotated[str, Field(max_length=63)] | None = None
    start_time: datetime | None = None
    completion_time: datetime | None = None
    progress: Progress | None = None
    output: OutputStatus | None = None

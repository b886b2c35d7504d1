"""Reports of the agent to the operator: pushed while running, and written as its termination message."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from videojob_api.base import LenientDocument


class ProgressState(StrEnum):
    """State of the runner."""

    STARTING = "starting"
    RUNNING = "running"
    CHECKPOINTING = "checkpointing"
    FINISHING = "finishing"
    DONE = "done"
    FAILED = "failed"


class Failure(LenientDocument):
    """Reason of a failure: a machine-readable CamelCase reason and a human-readable sentence."""

    reason: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$", max_length=64)]
    message: Annotated[str, Field(max_length=1024)] = ""


class Published(LenientDocument):
    """Output published so far; `manifest_digest` is set only after the manifest was written."""

    frames: Annotated[int, Field(ge=0)] = 0
    bytes: Annotated[int, Field(ge=0)] = 0
    manifest_digest: Annotated[str, Field(max_length=71)] | None = None
    url: Annotated[str, Field(max_length=1024)] | None = None
    videos: Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=8)] = []


class Report(LenientDocument):
    """State, not history: body of POST …/progress (≤ 8 KiB) and termination message of the agent (≤ 2 KiB)."""

    uid: Annotated[str, Field(max_length=64)]
    sequence: Annotated[int, Field(ge=0)]
    """Rises by one with each report of one pod."""
    state: ProgressState
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    frames_done: Annotated[int, Field(ge=0)] | None = None
    frames_total: Annotated[int, Field(ge=0)] | None = None
    eta_seconds: Annotated[int, Field(ge=0)] | None = None
    message: Annotated[str, Field(max_length=256)] = ""
    observed_time: datetime
    published: Published | None = None
    failure: Failure | None = None


class FetchResult(LenientDocument):
    """Termination message of `fetch`: why it failed, or what it brought."""

    failure: Failure | None = None
    files: Annotated[int, Field(ge=0)] = 0
    bytes: Annotated[int, Field(ge=0)] = 0
    resumed_step: Annotated[int, Field(ge=0)] | None = None
    """Step of the checkpoint restored from the output; absent if the attempt starts from scratch."""


class Acknowledgement(LenientDocument):
    """The agent's word to a waiting runner: published, or given up and why."""

    uid: str
    published: bool
    failure: Failure | None = None

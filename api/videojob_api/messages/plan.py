"""The pod's marching orders: everything fetch and agent need, as one environment value (DESIGN §5)."""

from typing import Annotated

from pydantic import Field

from videojob_api.base import Document
from videojob_api.resource.storage import Input, S3Prefix

MAX_PLAN_BYTES = 96 * 1024
"""Bytes of the plan as JSON; a pod's environment cannot carry much more."""


class JobRef(Document):
    """Which VideoJob this pod works for."""

    namespace: str
    name: str
    uid: str


class InputPlan(Document):
    """One input, and where the claim behind it is mounted in the fetch container."""

    input: Input
    mount_path: str | None = None


class OutputPlan(Document):
    """The resolved destination: an S3 prefix ending in `/` (or empty), or a folder of this pod's file system."""

    s3: S3Prefix | None = None
    folder: str | None = None
    url: str
    """For people and status: `s3://bucket/prefix/` or `pvc://claim/path/`."""
    exclusive: bool = False
    """Layout Flat: refuse to start when another job's manifest lies there."""


class ReportPlan(Document):
    """Where progress goes; absent in a local run."""

    url: str
    token_path: str


class JobPlan(Document):
    """The whole plan. `credentials_root` holds one folder per Secret; absent: the process's own AWS identity."""

    job: JobRef
    config: str
    """config.json, verbatim."""
    inputs: list[InputPlan] = []
    output: OutputPlan
    report: ReportPlan | None = None
    io_path: str = "/video_io"
    credentials_root: str | None = None
    custom_runner: bool = False
    """A runner that does not wait for the acknowledgement (pipeline.custom)."""
    publishes_checkpoints: bool = False
    """Whether checkpoints go to the output and come back from there: not where nothing makes or resumes them."""
    flush_seconds: Annotated[int, Field(ge=1)] = 60
    """How long publishing may go on after the runner has ended on deletion."""
    fetch_seconds: Annotated[int, Field(ge=1)] = 1800
    """How long fetch tries again while a store is away (`spec.deadlines.startSeconds`)."""
    publish_seconds: Annotated[int, Field(ge=1)] = 21_600
    """How long a finished output may wait for its store (`spec.deadlines.publishSeconds`)."""

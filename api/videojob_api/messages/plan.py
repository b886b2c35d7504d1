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
    """URL shown in status and messages: `s3://bucket/prefix/` or `pvc://claim/path/`."""
    exclusive: bool = False
    """Layout Flat: fail if the destination contains another job's manifest."""


class ReportPlan(Document):
    """Endpoint for progress reports; absent in a local run."""

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
    """True for a custom runner, which does not wait for the acknowledgement."""
    publishes_checkpoints: bool = False
    """True if checkpoints are uploaded to the output and restored from it; false if the runner cannot resume."""
    flush_seconds: Annotated[int, Field(ge=1)] = 60
    """Seconds for publishing after the runner exits when the pod is deleted."""
    fetch_seconds: Annotated[int, Field(ge=1)] = 1800
    """Seconds during which fetch retries an unavailable store (`spec.deadlines.startSeconds`)."""
    publish_seconds: Annotated[int, Field(ge=1)] = 21_600
    """Seconds during which publishing of a finished output is retried (`spec.deadlines.publishSeconds`)."""

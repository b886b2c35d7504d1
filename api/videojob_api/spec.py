"""What a user asks for: `VideoJob.spec` (DESIGN §3)."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from videojob_api.base import Document
from videojob_api.pipelines import Pipeline
from videojob_api.pipelines.custom import EnvVar
from videojob_api.storage import Input, ObjectName, Output, RelativePath, Sha256

Quantity = Annotated[str | int, Field(union_mode="left_to_right")]
Resources = dict[str, Quantity]


class ModelSource(Document):
    """The pack behind one of the pipeline's roles; exactly one of builtin, input."""

    role: Annotated[str, StringConstraints(pattern=r"^[a-z][a-zA-Z0-9]*$", max_length=63)]
    builtin: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=63)] | None = None
    input: RelativePath | None = None
    """A pack folder among the inputs, below `/video_io/input`."""
    digest: Sha256 | None = None
    """sha256 of the pack's pack.json."""


class Encoding(Document):
    """The mp4: H.264, yuv420p."""

    fps: Annotated[int, Field(ge=1, le=240)] = 24
    crf: Annotated[int, Field(ge=0, le=51)] = 23


class Test(Document):
    """The contract's TEST and TEST_FAIL: simulated frames, no engine."""

    duration_seconds: Annotated[int, Field(ge=0, le=86_400)] = 10
    fail: bool = False


class ResourceRequirements(Document):
    """Compute resources of the runner's container."""

    limits: Annotated[Resources, Field(max_length=16)] | None = None
    requests: Annotated[Resources, Field(max_length=16)] | None = None


class Runner(Document):
    """The container that makes the pictures."""

    image: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Absent: the image the operator was installed with; required for pipeline.custom."""
    resources: ResourceRequirements | None = None
    accelerator: Literal["Required", "None"] = "Required"
    env: Annotated[list[EnvVar], Field(max_length=64)] | None = None


class Volume(Document):
    """Size of an emptyDir."""

    size: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?([KMGT]i?|)$", max_length=16)]


class Pod(Document):
    """The curated part of the pod (VJ-19)."""

    image_pull_secrets: Annotated[list[ObjectName], Field(max_length=8)] | None = None
    service_account_name: ObjectName | None = None
    node_selector: Annotated[dict[str, str], Field(max_length=32)] | None = None
    tolerations: Annotated[list[dict[str, Any]], Field(max_length=32)] | None = None
    affinity: dict[str, Any] | None = None
    priority_class_name: ObjectName | None = None
    runtime_class_name: ObjectName | None = None
    scheduler_name: ObjectName | None = None
    run_as_user: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    scratch: Volume | None = None
    shm: Volume | None = None
    termination_grace_period_seconds: Annotated[int, Field(ge=5, le=3600)] = 120


class Retry(Document):
    """How often to try again: own failures, and disruptions that are nobody's fault."""

    limit: Annotated[int, Field(ge=0, le=20)] = 2
    max_disruptions: Annotated[int, Field(ge=0, le=1000)] = 20


class Deadlines(Document):
    """Seconds; start counts from acceptance (or resume) until the runner has started, active from the Job's start."""

    start_seconds: Annotated[int, Field(ge=10, le=604_800)] = 1800
    active_seconds: Annotated[int, Field(ge=10, le=31_536_000)] | None = None
    progress_seconds: Annotated[int, Field(ge=10, le=604_800)] | None = None
    """Longest time without a change of progress before the attempt fails."""


class VideoJobSpec(Document):
    """Everything a user says about one video."""

    pipeline: Pipeline
    models: Annotated[list[ModelSource], Field(max_length=8)] | None = None
    inputs: Annotated[list[Input], Field(max_length=64)] | None = None
    output: Output
    encoding: Encoding = Encoding()
    test: Test | None = None
    """Absent: real work."""
    runner: Runner = Runner()
    pod: Pod | None = None
    suspend: bool = False
    retry: Retry = Retry()
    deadlines: Deadlines = Deadlines()
    managed_by: Annotated[str, StringConstraints(max_length=63)] = "videojobs.dev/controller"

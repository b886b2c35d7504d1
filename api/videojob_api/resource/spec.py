"""Desired state of a VideoJob: `VideoJob.spec` (DESIGN §3)."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from videojob_api.base import Document, RelativePath, drop_nulls
from videojob_api.pipelines import PIPELINES, Pipeline
from videojob_api.pipelines.base import PipelineSpec, optional_fields
from videojob_api.pipelines.custom import EnvVar
from videojob_api.resource.post import Post
from videojob_api.resource.quantity import Quantity
from videojob_api.resource.storage import Inputs, ObjectName, Output, Sha256
from videojob_api.validation.core import Rule
from videojob_api.validation.objects import exactly_one, immutable, requires
from videojob_api.validation.post import (
    AUDIO_INPUTS_EXIST,
    INTERPOLATION_INCREASES_FPS,
    POST_NEEDS_OUR_RUNNER,
    UPSCALER_NEEDS_STEP,
)
from videojob_api.validation.spec import ACCELERATOR_LIMIT, MODEL_INPUTS_EXIST, input_path_exists, model_roles
from videojob_api.validation.values import UniqueBy, each_in

BUILTIN_PACKS = tuple(
    dict.fromkeys(role.default for model in PIPELINES.values() for role in model.MODEL_ROLES if role.default)
)
"""Packs included in the runner's image. The runner itself accepts any pack that it finds."""

Resources = Annotated[dict[str, Quantity], Field(max_length=16), BeforeValidator(drop_nulls)]
LabelValue = Annotated[str, StringConstraints(pattern=r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", max_length=63)]
Labels = Annotated[dict[str, LabelValue], Field(max_length=32), BeforeValidator(drop_nulls)]


class ModelSource(Document):
    """Model pack for one role of the pipeline; exactly one of builtin, input."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("builtin", "input"),)
    role: Annotated[str, StringConstraints(pattern=r"^[a-z][a-zA-Z0-9]*$", max_length=63)]
    """Role of the pack: generator or perceptor for vqganClip, upscaler for upscale steps. Roles must be unique."""
    builtin: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=63)] | None = None
    """Pack included in the runner's image: shapes-vqgan, shapes-clip or shapes-upscaler."""
    input: RelativePath | None = None
    """Path of a pack folder among the inputs, relative to `/video_io/input`."""
    digest: Sha256 | None = None
    """Expected SHA-256 digest of the pack's pack.json; the job fails if it differs."""


Models = Annotated[list[ModelSource], Field(max_length=8), UniqueBy("role")]


class Encoding(Document):
    """Encoding of the mp4 (H.264, yuv420p)."""

    fps: Annotated[int, Field(ge=1, le=240)] = 24
    """Frame rate in frames per second."""
    crf: Annotated[int, Field(ge=0, le=51)] = 23
    """Constant rate factor of H.264: lower means better quality and a larger file; 18 is visually lossless."""


class SimulationOptions(Document):
    """Simulates the run (modes TEST and TEST_FAIL of the contract): no engine and no accelerator."""

    duration_seconds: Annotated[int, Field(ge=0, le=86_400)] = 10
    """Duration of the simulation in seconds."""
    fail: bool = False
    """If true, the simulation ends with FAILED instead of COMPLETED."""


class ResourceRequirements(Document):
    """Compute resources of the runner container."""

    limits: Resources | None = None
    """Maximum amount of each resource, such as nvidia.com/gpu: 1."""
    requests: Resources | None = None
    """Amount of each resource reserved by the scheduler. Defaults to the limits."""


class RunnerSpec(Document):
    """The runner container, which renders the frames."""

    image: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Container image. Defaults to the image configured in the operator; required for pipeline.custom."""
    resources: ResourceRequirements | None = None
    """Compute resources of the container."""
    accelerator: Literal["Required", "None"] = "Required"
    """Required: limits must include an extended resource; the runner fails if it finds no device. None: runs on the
    CPU."""
    env: Annotated[list[EnvVar], Field(max_length=64), UniqueBy("name")] | None = None
    """Environment variables of the runner container."""


class EmptyDirVolume(Document):
    """An emptyDir volume."""

    size: Quantity
    """Size limit of the volume, such as 20Gi."""


class PodOptions(Document):
    """Configurable pod settings; all others are set by the operator."""

    image_pull_secrets: Annotated[list[ObjectName], Field(max_length=8)] | None = None
    """Names of the Secrets used to pull images."""
    service_account_name: ObjectName | None = None
    """Service account of the pod; its identity can grant access to buckets. Defaults to the account `default`."""
    node_selector: Labels | None = None
    """Labels that a node must have to run the pod."""
    tolerations: Annotated[list[dict[str, Any]], Field(max_length=32)] | None = None
    """Tolerations of the pod, as in a pod spec."""
    affinity: dict[str, Any] | None = None
    """Scheduling affinity of the pod, as in a pod spec."""
    priority_class_name: ObjectName | None = None
    """Name of the pod's PriorityClass."""
    runtime_class_name: ObjectName | None = None
    """Name of the pod's RuntimeClass, such as nvidia."""
    scheduler_name: ObjectName | None = None
    """Name of the scheduler for the pod. Defaults to the cluster's default scheduler."""
    run_as_user: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    """Numeric user ID of all containers; root (0) is not allowed."""
    scratch: EmptyDirVolume | None = None
    """Scratch volume mounted at /video_io."""
    shm: EmptyDirVolume | None = None
    """Shared-memory volume mounted at /dev/shm, used by data loaders."""
    termination_grace_period_seconds: Annotated[int, Field(ge=5, le=3600)] = 120
    """Seconds from the termination signal until the pod is killed; used to save and publish a checkpoint."""


class RetryPolicy(Document):
    """Number of retries after failures of the job and after disruptions by the cluster."""

    limit: Annotated[int, Field(ge=0, le=20)] = 2
    """Maximum number of retries after failures of the job itself."""
    max_disruptions: Annotated[int, Field(ge=0, le=1000)] = 20
    """Maximum number of retries after evictions, preemptions and lost nodes."""


class CheckpointPolicy(Document):
    """How often a checkpoint is saved, from which the next attempt resumes."""

    interval_seconds: Annotated[int, Field(ge=1, le=86_400)] = 300
    """Seconds between two checkpoints. Another checkpoint is saved when the pod is terminated."""


class Deadlines(Document):
    """Time limits in seconds; a job that exceeds one fails. Waiting for capacity is limited only by pendingSeconds."""

    rules: ClassVar[tuple[Rule, ...]] = tuple(map(immutable, ("start_seconds", "progress_seconds", "publish_seconds")))
    pending_seconds: Annotated[int, Field(ge=10, le=31_536_000)] | None = None
    """Maximum wait until a pod is created and scheduled (Job controller, quota, free device). Measured from acceptance,
    resumption or the end of the previous attempt; not counted while suspended. Unlimited if absent. Can be changed."""
    start_seconds: Annotated[int, Field(ge=10, le=604_800)] = 1800
    """Maximum time from the scheduling of a pod to the start of its runner: image pulls, volumes, inputs. Cannot be
    changed."""
    active_seconds: Annotated[int, Field(ge=10, le=31_536_000)] | None = None
    """Maximum time from the start of the Job to its end. Unlimited if absent. Can be changed while the job runs."""
    progress_seconds: Annotated[int, Field(ge=10, le=604_800)] | None = None
    """Maximum time without a change in the runner's progress. Unlimited if absent. Cannot be changed."""
    publish_seconds: Annotated[int, Field(ge=60, le=604_800)] = 21_600
    """Maximum time to retry publishing when the store is unreachable, full or denies access; the pod keeps its device
    meanwhile. The attempt then fails. Cannot be changed."""


MUTABLE_FIELDS = ("suspend", "deadlines.active_seconds", "deadlines.pending_seconds")
"""Python paths of the only spec fields that may change after creation."""


IMMUTABLE = (
    "pipeline",
    "models",
    "inputs",
    "output",
    "encoding",
    "post",
    "test",
    "runner",
    "pod",
    "retry",
    "checkpoint",
    "managed_by",
)


def spec_rules(pipelines: Mapping[str, type[PipelineSpec]]) -> tuple[Rule, ...]:
    """Return the cross-field rules of a spec with these pipelines, keyed by their field in `Pipeline`."""
    needs_image = [f"pipeline.{name}" for name, model in pipelines.items() if model.NEEDS_OWN_IMAGE]
    return (
        *(
            requires(name, needs="runner.image", explanation="the operator's own image cannot run it")
            for name in needs_image
        ),
        ACCELERATOR_LIMIT,
        MODEL_INPUTS_EXIST,
        *(rule for name, model in pipelines.items() for rule in input_rules(name, model)),
        *(
            model_roles(name, tuple(role.name for role in model.MODEL_ROLES))
            for name, model in pipelines.items()
            if model.MODEL_ROLES
        ),
        POST_NEEDS_OUR_RUNNER,
        INTERPOLATION_INCREASES_FPS,
        AUDIO_INPUTS_EXIST,
        UPSCALER_NEEDS_STEP,
        *map(immutable, IMMUTABLE),
    )


def input_rules(name: str, model: type[PipelineSpec]) -> Iterator[Rule]:
    """Yield one rule for each field of the pipeline `name` that refers to an input."""
    for field in model.INPUT_FIELDS:
        optional = [f"pipeline.{name}", *(f"pipeline.{name}.{part}" for part in optional_fields(model, field.path))]
        path = f"pipeline.{name}.{field.path}"
        yield input_path_exists(path, optional=tuple(optional), may_contain=field.may_contain)


class VideoJobSpec(Document):
    """Desired state of a VideoJob. Fields are immutable after creation unless documented otherwise."""

    rules: ClassVar[tuple[Rule, ...]] = spec_rules(PIPELINES)
    pipeline: Pipeline
    """The pipeline that renders the frames: exactly one of its fields."""
    models: Annotated[Models, each_in("builtin", BUILTIN_PACKS)] | None = None
    """Model packs by role. Defaults to the pipeline's built-in packs."""
    inputs: Inputs | None = None
    """Files provided below `/video_io/input` before the runner starts."""
    output: Output
    """Destination of the results: exactly one of s3, pvc."""
    encoding: Encoding = Encoding()
    """Encoding of the mp4."""
    post: Post | None = None
    """Post-processing steps, executed in the order upscale, interpolate, audio. Skipped when test is set."""
    test: SimulationOptions | None = None
    """Simulates the run without an engine, to test everything else. Absent: the pipeline runs."""
    runner: RunnerSpec = RunnerSpec()
    """The runner container, which renders the frames."""
    pod: PodOptions | None = None
    """Settings of the pod that runs the job."""
    suspend: bool = False
    """If true, the job saves a checkpoint, stops and frees its accelerator; set it to false to resume. Can be
    changed."""
    retry: RetryPolicy = RetryPolicy()
    """Retry limits."""
    checkpoint: CheckpointPolicy = CheckpointPolicy()
    """Checkpoint interval. Ignored by custom runner images."""
    deadlines: Deadlines = Deadlines()
    """Time limits in seconds."""
    managed_by: Annotated[str, StringConstraints(min_length=1, max_length=63)] = "videojobs.dev/controller"
    """Name of the controller that manages this VideoJob; with any other value this operator ignores it."""

"""What a user asks for: `VideoJob.spec` (DESIGN §3)."""

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
"""The packs that ship in the runner's image; a runner by itself takes any that it finds."""

Resources = Annotated[dict[str, Quantity], Field(max_length=16), BeforeValidator(drop_nulls)]
LabelValue = Annotated[str, StringConstraints(pattern=r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", max_length=63)]
Labels = Annotated[dict[str, LabelValue], Field(max_length=32), BeforeValidator(drop_nulls)]


class ModelSource(Document):
    """The pack behind one of the pipeline's roles; exactly one of builtin, input."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("builtin", "input"),)
    role: Annotated[str, StringConstraints(pattern=r"^[a-z][a-zA-Z0-9]*$", max_length=63)]
    """Its use: vqganClip has a generator and a perceptor, steps upscale an upscaler. No two packs share a role."""
    builtin: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=63)] | None = None
    """A pack that ships in the runner's image: shapes-vqgan, shapes-clip or shapes-upscaler."""
    input: RelativePath | None = None
    """A pack folder among the inputs, below `/video_io/input`."""
    digest: Sha256 | None = None
    """sha256 of the pack's pack.json. The job fails when it differs."""


Models = Annotated[list[ModelSource], Field(max_length=8), UniqueBy("role")]


class Encoding(Document):
    """The mp4: H.264, yuv420p."""

    fps: Annotated[int, Field(ge=1, le=240)] = 24
    """Frames in a second."""
    crf: Annotated[int, Field(ge=0, le=51)] = 23
    """Quality: lower is better and larger; 18 looks lossless."""


class SimulationOptions(Document):
    """The contract's TEST and TEST_FAIL: simulated frames, no engine, no accelerator."""

    duration_seconds: Annotated[int, Field(ge=0, le=86_400)] = 10
    """How long the simulation takes."""
    fail: bool = False
    """End with FAILED instead of COMPLETED."""


class ResourceRequirements(Document):
    """Compute resources of the runner's container."""

    limits: Resources | None = None
    """The most it may use, like nvidia.com/gpu: 1."""
    requests: Resources | None = None
    """What the scheduler sets aside for it. Absent: the limits."""


class RunnerSpec(Document):
    """The container that makes the pictures."""

    image: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Absent: the image the operator was installed with. Required for pipeline.custom."""
    resources: ResourceRequirements | None = None
    """Its compute resources."""
    accelerator: Literal["Required", "None"] = "Required"
    """Required: the limits must name an extended resource, and the runner fails when it sees no device. None: CPU."""
    env: Annotated[list[EnvVar], Field(max_length=64), UniqueBy("name")] | None = None
    """Environment of the runner's container."""


class EmptyDirVolume(Document):
    """An emptyDir."""

    size: Quantity
    """Its size limit, like 20Gi."""


class PodOptions(Document):
    """The curated part of the pod; everything else is decided by the operator."""

    image_pull_secrets: Annotated[list[ObjectName], Field(max_length=8)] | None = None
    """Names of Secrets for pulling images."""
    service_account_name: ObjectName | None = None
    """Service account, whose identity may open buckets. Absent: default."""
    node_selector: Labels | None = None
    """Labels a node must have."""
    tolerations: Annotated[list[dict[str, Any]], Field(max_length=32)] | None = None
    """Taints to tolerate, as in a pod."""
    affinity: dict[str, Any] | None = None
    """Preferred and required places, as in a pod."""
    priority_class_name: ObjectName | None = None
    """Priority class of the pod."""
    runtime_class_name: ObjectName | None = None
    """Runtime class of the pod, like nvidia."""
    scheduler_name: ObjectName | None = None
    """Scheduler to place the pod. Absent: the cluster's own."""
    run_as_user: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    """Numeric user of all containers; never root."""
    scratch: EmptyDirVolume | None = None
    """The volume behind /video_io."""
    shm: EmptyDirVolume | None = None
    """Shared memory at /dev/shm, for data loaders."""
    termination_grace_period_seconds: Annotated[int, Field(ge=5, le=3600)] = 120
    """Time for a checkpoint and for publishing it, after the pod was told to stop."""


class RetryPolicy(Document):
    """How often to try again: own failures, and disruptions that are nobody's fault."""

    limit: Annotated[int, Field(ge=0, le=20)] = 2
    """Attempts after the first, when the job itself failed."""
    max_disruptions: Annotated[int, Field(ge=0, le=1000)] = 20
    """Attempts after evictions, preemptions and lost nodes."""


class CheckpointPolicy(Document):
    """How often what was reached is saved for the next attempt."""

    interval_seconds: Annotated[int, Field(ge=1, le=86_400)] = 300
    """Time between two checkpoints. One more is made when the pod is told to stop."""


class Deadlines(Document):
    """Limits in seconds; a job that passes one fails. Waiting for capacity has no limit but pendingSeconds."""

    rules: ClassVar[tuple[Rule, ...]] = tuple(map(immutable, ("start_seconds", "progress_seconds", "publish_seconds")))
    pending_seconds: Annotated[int, Field(ge=10, le=31_536_000)] | None = None
    """Longest wait for a pod to be created and scheduled: for the Job controller, a quota, a free device. Counts from
    acceptance, resumption, or the end of an attempt; not while suspended. Absent: no limit. Can be changed."""
    start_seconds: Annotated[int, Field(ge=10, le=604_800)] = 1800
    """From the scheduling of a pod until its runner has started: images, volumes, inputs. Cannot be changed."""
    active_seconds: Annotated[int, Field(ge=10, le=31_536_000)] | None = None
    """From the start of the Job to its end. Absent: no limit. Can be changed while the job runs."""
    progress_seconds: Annotated[int, Field(ge=10, le=604_800)] | None = None
    """Longest time that the runner reports no change of progress. Absent: no limit. Cannot be changed."""
    publish_seconds: Annotated[int, Field(ge=60, le=604_800)] = 21_600
    """How long a finished output waits for a store that is away, full or refuses; the pod keeps its device meanwhile.
    After that the attempt counts as failed. Cannot be changed."""


MUTABLE_FIELDS = ("suspend", "deadlines.active_seconds", "deadlines.pending_seconds")
"""The only fields of a spec that may change after creation."""


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
    """What must hold between fields of a spec that has these pipelines, by their fields in `Pipeline`."""
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
    """One rule for each field of the pipeline `name` that names an input."""
    for field in model.INPUT_FIELDS:
        optional = [f"pipeline.{name}", *(f"pipeline.{name}.{part}" for part in optional_fields(model, field.path))]
        path = f"pipeline.{name}.{field.path}"
        yield input_path_exists(path, optional=tuple(optional), may_contain=field.may_contain)


class VideoJobSpec(Document):
    """Everything a user says about one video. Fields cannot be changed after creation unless they say so."""

    rules: ClassVar[tuple[Rule, ...]] = spec_rules(PIPELINES)
    pipeline: Pipeline
    """What makes the pictures: exactly one of its fields."""
    models: Annotated[Models, each_in("builtin", BUILTIN_PACKS)] | None = None
    """Weights by role. Absent: the pipeline's built-in packs."""
    inputs: Inputs | None = None
    """Files that lie below `/video_io/input` when the runner starts."""
    output: Output
    """Where the results go: exactly one of s3, pvc."""
    encoding: Encoding = Encoding()
    """The mp4."""
    post: Post | None = None
    """Steps after the frames were made, in this order: upscale, interpolate, audio. A test leaves them out."""
    test: SimulationOptions | None = None
    """Simulated frames instead of real work, to try out everything around it. Absent: real work."""
    runner: RunnerSpec = RunnerSpec()
    """The container that makes the pictures."""
    pod: PodOptions | None = None
    """The pod around it."""
    suspend: bool = False
    """Stop after saving, and free the accelerator, until it is false again. Can be changed at any time."""
    retry: RetryPolicy = RetryPolicy()
    """How often to try again."""
    checkpoint: CheckpointPolicy = CheckpointPolicy()
    """How often to save what the next attempt goes on from. A foreign image keeps its own ways."""
    deadlines: Deadlines = Deadlines()
    """Limits in seconds."""
    managed_by: Annotated[str, StringConstraints(min_length=1, max_length=63)] = "videojobs.dev/controller"
    """The controller in charge; another value keeps this operator's hands off."""

"""
The two forms of `input/config.json`, which the runner reads (DESIGN §4).

Ours repeats the pipeline object of the resource. The flat form is that of the original container (specification
vqgan-clip §1.4), read tolerantly: the names of before 2021-09-15 are known, a number may stand for the id, and there is
no start picture when `init_image` is missing, null, empty or the text `None`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import from_json

from videojob_api.base import CONTROL_CHARACTERS, Document, LenientDocument, RelativePath
from videojob_api.pipelines import Pipeline
from videojob_api.resource.post import Post
from videojob_api.resource.spec import CheckpointPolicy, Encoding, Models
from videojob_api.validation.core import Rule
from videojob_api.validation.post import INTERPOLATION_INCREASES_FPS
from videojob_api.validation.problems import FieldProblem, InvalidDocument, field_problems
from videojob_api.validation.values import not_matching

RUNNER_API_VERSION: Literal["runner.videojobs.dev/v1"] = "runner.videojobs.dev/v1"
NO_IMAGE_VALUES = ("", "None")
"""Values with which users of the original container omit the init image."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Uid = Annotated[
    str,
    StringConstraints(max_length=253),
    not_matching(rf"^\s*$|{CONTROL_CHARACTERS}", "must be a text of one line, as it goes into STATUS"),
]
FileName = Annotated[
    str,
    StringConstraints(max_length=200),
    not_matching(
        rf"^$|^[-.]|[/\\]|{CONTROL_CHARACTERS}", "must be a plain file name that begins with neither '-' nor '.'"
    ),
]


class InvalidConfig(InvalidDocument):
    """config.json cannot be used; the message names the field, its value and what would be right."""


class RunnerConfig(Document):
    """Our form: the same pipeline object as in the resource."""

    rules: ClassVar[tuple[Rule, ...]] = (INTERPOLATION_INCREASES_FPS,)
    api_version: Literal["runner.videojobs.dev/v1"] = RUNNER_API_VERSION
    uid: Uid
    """Goes into STATUS; with its spaces as `_` also the video's base name unless `name` is given."""
    name: FileName | None = None
    """Base name of the video."""
    pipeline: Pipeline
    """The pipeline, as in the resource."""
    models: Models | None = None
    """Packs by role; absent: the pipeline's built-in ones."""
    encoding: Encoding = Encoding()
    """The mp4."""
    post: Post | None = None
    """Post-processing steps, as in the resource."""
    checkpoint: CheckpointPolicy = CheckpointPolicy()
    """Checkpoint interval. Not part of the configuration digest: after a change the run resumes from the same
    checkpoints."""


def integer_to_id(value: Any) -> Any:
    """Convert an integer to its digits, as the original container does."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def empty_to_none(value: Any) -> Any:
    """Return None for values that mean no init image."""
    return None if value in NO_IMAGE_VALUES else value


def empty_to_blank(value: Any) -> Any:
    """Return an empty string for values that mean no init image."""
    return "" if value in NO_IMAGE_VALUES else value


class LegacyConfig(LenientDocument):
    """The original container's flat form, snake_case; fields it does not know are ignored, as there."""

    model_config = ConfigDict(alias_generator=None, strict=True)

    prompt: Annotated[str, Field(max_length=4096, validation_alias=AliasChoices("prompt", "prompts"))]
    """`text[:weight[:stop]]`, several joined by `|`; may be empty where there are target images."""
    unique_id: Annotated[Uid, BeforeValidator(integer_to_id)]
    """Goes into STATUS, and with its spaces as `_` into the video's name."""
    num_frames: Annotated[int, Field(ge=1, le=100_000, validation_alias=AliasChoices("num_frames", "max_iterations"))]
    """Number of iterations; TEST renders as many frames."""
    width: Annotated[int, Field(ge=1, le=8192)] = 480
    """Pixels."""
    height: Annotated[int, Field(ge=1, le=8192)] = 480
    """Pixels."""
    init_image: Annotated[RelativePath | None, BeforeValidator(empty_to_none)] = None
    """Path of the init image, relative to `input/`."""
    target_images: Annotated[str, Field(max_length=4096), BeforeValidator(empty_to_blank)] = ""
    """Pictures to steer towards, joined by `|`."""
    seed: Annotated[int, Field(ge=-1, le=2**53 - 1)] = -1
    """Random seed; -1: drawn at random."""
    fps: Annotated[float, Field(gt=0, le=240)] = 24
    """Frames in a second."""
    lr: Annotated[float, Field(gt=0, le=10)] = 0.02
    """First learning rate."""
    title_time: Annotated[float, Field(ge=0, le=3600)] = 3.5
    """Seconds of the title card."""
    init_rest_time: Annotated[float, Field(ge=0, le=3600)] = 2.5
    """Duration in seconds of each fade between the init image and its reconstruction."""


def read_config(text: str | bytes) -> RunnerConfig | LegacyConfig:
    """config.json in either form: `apiVersion` or `pipeline` makes it ours. Raises InvalidConfig, and nothing else."""
    document = _json_object(text)
    form = RunnerConfig if "apiVersion" in document or "pipeline" in document else LegacyConfig
    try:
        return form.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidConfig(*field_problems(error)) from None


def _json_object(text: str | bytes) -> dict[str, Any]:
    # As bytes in any case: from_json calls a text with lone surrogates a TypeError.
    raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    try:
        document = from_json(raw.removeprefix(BYTE_ORDER_MARK))
    except ValueError as error:
        raise InvalidConfig(FieldProblem("", f"config.json must be JSON: {error}")) from None
    if not isinstance(document, dict):
        raise InvalidConfig(FieldProblem("", "config.json must hold one JSON object", document))
    return document

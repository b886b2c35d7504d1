"""`input/config.json`, what the runner reads: our form, and the flat form of the original container (DESIGN §4)."""

from typing import Annotated, Literal

from pydantic import Field

from videojob_api.base import Document, OpenDocument
from videojob_api.pipelines import Pipeline
from videojob_api.spec import Encoding, ModelSource

RUNNER_API_VERSION: Literal["runner.videojobs.dev/v1"] = "runner.videojobs.dev/v1"


class RunnerConfig(Document):
    """Our form: the same pipeline object as in the resource."""

    api_version: Literal["runner.videojobs.dev/v1"] = RUNNER_API_VERSION
    uid: Annotated[str, Field(min_length=1, max_length=253)]
    """Goes into STATUS; with its spaces as `_` also the video's base name unless `name` is given."""
    name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    pipeline: Pipeline
    models: list[ModelSource] | None = None
    encoding: Encoding = Encoding()


class FlatConfig(OpenDocument):
    """The original container's flat form (specification vqgan-clip §1.4), snake_case, old names accepted."""

    prompt: str
    unique_id: str
    num_frames: Annotated[int, Field(ge=1)]
    width: int = 480
    height: int = 480
    init_image: str | None = None
    target_images: str = ""
    seed: int = -1
    fps: Annotated[float, Field(gt=0)] = 24
    lr: Annotated[float, Field(gt=0)] = 0.02
    title_time: float = 3.5
    init_rest_time: float = 2.5

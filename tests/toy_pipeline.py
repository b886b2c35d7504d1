"""
A pipeline as a new engine would bring it: one model, and its field in the one-of.

`ToyPipelines` and `ToySpec` repeat the two lines by which the resource registers its own.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from videojob_api.base import Document, RelativePath
from videojob_api.pipelines import Pipeline
from videojob_api.pipelines.base import InputField, ModelRole, PipelineSpec
from videojob_api.resource.spec import VideoJobSpec, spec_rules
from videojob_api.validation.core import Rule


class Train(Document):
    """Learns from clips."""

    dataset: RelativePath
    """A folder of clips, or one that contains inputs."""


class Generate(Document):
    """Makes a clip."""

    frames: Annotated[int, Field(ge=1, le=64)] = 16
    """How many."""
    first_frame: RelativePath | None = None
    """An image to begin with."""


class Text2Video(PipelineSpec):
    """Clips from text."""

    MODEL_ROLES: ClassVar[tuple[ModelRole, ...]] = (ModelRole(name="generator", kind="text2video"),)
    INPUT_FIELDS: ClassVar[tuple[InputField, ...]] = (
        InputField(path="train.dataset", may_contain=True),
        InputField(path="generate.first_frame"),
    )
    FORMS: ClassVar[tuple[str, ...]] = ("train", "generate")

    train: Train | None = None
    """Learns from clips."""
    generate: Generate | None = None
    """Makes a clip."""

    def frame_count(self) -> int | None:
        """Only of a clip is it known."""
        return self.generate.frames if self.generate else None

    def scratch_bytes(self, *, fps: float) -> int | None:
        """A thousand bytes for each frame."""
        return self.generate.frames * 1000 if self.generate else None

    def is_training(self) -> bool:
        """In one of its forms."""
        return self.train is not None


class ToyPipelines(Pipeline):
    """The pipelines there are, and one more."""

    text2video: Text2Video | None = None
    """Clips from text."""


class ToySpec(VideoJobSpec):
    """A spec that may name it."""

    rules: ClassVar[tuple[Rule, ...]] = spec_rules(ToyPipelines.pipelines())
    pipeline: ToyPipelines
    """What makes the pictures."""


class MorePipelines(ToyPipelines):
    """As many as there may be one day."""

    pix2pix: Text2Video | None = None
    """One more."""
    neural_sde: Text2Video | None = None
    """And another one."""


class LargerSpec(ToySpec):
    """A spec with many pipelines: are its rules still cheap enough for the API server?"""

    rules: ClassVar[tuple[Rule, ...]] = spec_rules(MorePipelines.pipelines())
    pipeline: MorePipelines
    """What makes the pictures."""

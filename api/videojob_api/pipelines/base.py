"""
Base of the pipeline models, through which other code queries a pipeline without knowing its fields.

A pipeline declares the roles of its model packs, its fields that name inputs, and its forms; the rules of the resource
follow from these. Its methods answer what the operator and the runner ask about one document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from videojob_api.base import Document
from videojob_api.validation.core import to_wire
from videojob_api.validation.objects import exactly_one

DEFAULT_SIZE = (480, 480)
"""Width and height of simulated frames where a pipeline does not say any."""
PNG_SHARE = 0.6
"""Size of a noisy image as PNG, as a share of its raw size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRole:
    """One use of a model pack: `spec.models` names it in `role`."""

    name: str
    kind: str
    """The `kind` that its pack.json must have."""
    default: str = ""
    """The built-in pack where `spec.models` names none; empty: there is no such pack."""


UPSCALER = ModelRole(name="upscaler", kind="upscaler", default="shapes-upscaler")
"""Used by the step `upscale` of `spec.post`, after any pipeline that makes frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputField:
    """A field that names a path below `input/`, which one of `spec.inputs` must provide."""

    path: str
    """Python names with dots between them, like `style_transfer.source`."""
    may_contain: bool = False
    """The path may also be a folder that contains inputs."""


class PipelineSpec(Document):
    """Base of the pipelines' models: declarations as class variables, and answers about one document."""

    MODEL_ROLES: ClassVar[tuple[ModelRole, ...]] = ()
    """All roles; none: a role may have any name."""
    INPUT_FIELDS: ClassVar[tuple[InputField, ...]] = ()
    FORMS: ClassVar[tuple[str, ...]] = ()
    """Fields of which exactly one must be given."""
    NEEDS_OWN_IMAGE: ClassVar[bool] = False
    """The operator's own image cannot run it, so `runner.image` must be given."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Add the rule for `FORMS`."""
        super().__pydantic_init_subclass__(**kwargs)
        rule = exactly_one(*cls.FORMS)
        if cls.FORMS and rule not in cls.rules:
            cls.rules = (rule, *cls.rules)

    def form(self) -> tuple[str, Document]:
        """Return the wire name of the form in use, and the form; ('', self) for a pipeline without forms."""
        given = ((to_wire(name), getattr(self, name)) for name in self.FORMS)
        return next((form for form in given if form[1] is not None), ("", self))

    def frame_count(self) -> int | None:
        """Number of frames the engine writes; None if only the engine can tell."""
        return None

    def video_frame_count(self, *, fps: float) -> int | None:
        """Approximate number of frames in the video before `spec.post`; None if only the engine can tell."""
        return self.frame_count()

    def frame_size(self) -> tuple[int, int]:
        """Requested width and height in pixels."""
        return DEFAULT_SIZE

    def scratch_bytes(self, *, fps: float) -> int | None:
        """Maximum disk use of the engine in bytes, without video and inputs; None if unknown (no limit)."""
        return None

    def title(self) -> str | None:
        """Title in the video's metadata."""
        return None

    def is_training(self) -> bool:
        """True if the pipeline trains a model."""
        return False


def png_bytes(pixels: float) -> float:
    """Approximate size in bytes of an RGB image with `pixels` pixels as PNG."""
    return pixels * 3 * PNG_SHARE


def optional_fields(model: type[BaseModel], path: str) -> Iterator[str]:
    """Yield the paths of the optional fields along `path`, including `path` itself, outermost first."""
    names = path.split(".")
    for depth, name in enumerate(names, start=1):
        field = model.model_fields[name]
        if not field.is_required() and field.get_default() is None:
            yield ".".join(names[:depth])
        model = next(nested_models(field), model)


def nested_models(field: FieldInfo) -> Iterator[type[BaseModel]]:
    """Yield the models among the types of a field."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


class PipelineChoice(Document):
    """Exactly one of its fields; each is a pipeline. Subclasses declare nothing but fields."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Derive the rule from the fields."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.rules = (exactly_one(*cls.model_fields),)

    @classmethod
    def pipelines(cls) -> dict[str, type[PipelineSpec]]:
        """Return the pipeline model of each field."""
        return {
            name: model
            for name, field in cls.model_fields.items()
            for model in nested_models(field)
            if issubclass(model, PipelineSpec)
        }

    def member(self) -> tuple[str, PipelineSpec]:
        """Return the wire name of the pipeline in use, and the pipeline."""
        [(name, pipeline)] = [(to_wire(name), value) for name, value in self if value is not None]
        return name, pipeline

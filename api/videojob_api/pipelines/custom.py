"""Fields of `pipeline.custom`: any container that follows the file contract."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from videojob_api.base import Document
from videojob_api.pipelines.base import PipelineSpec
from videojob_api.validation.values import UniqueBy


class EnvVar(Document):
    """One environment variable; its value is not secret."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=253)]
    """Name of the variable: letters, digits and underscores."""
    value: Annotated[str, StringConstraints(max_length=4096)] = ""
    """Value of the variable."""


Argument = Annotated[str, StringConstraints(max_length=4096)]


class CustomPipeline(PipelineSpec):
    """A custom runner image: its command, and the free-form part of its config.json."""

    NEEDS_OWN_IMAGE: ClassVar[bool] = True

    command: Annotated[list[Argument], Field(max_length=64)] | None = None
    """Overrides the image's entry point."""
    args: Annotated[list[Argument], Field(max_length=64)] | None = None
    """Overrides the image's arguments."""
    env: Annotated[list[EnvVar], Field(max_length=64), UniqueBy("name")] | None = None
    """Environment variables of the runner container."""
    config: dict[str, Any] | None = None
    """Copied unchanged into config.json; at most 32 KiB as JSON (otherwise ConfigTooLarge)."""

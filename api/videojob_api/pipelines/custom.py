"""Fields of `pipeline.custom`: any container that keeps the file contract."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from videojob_api.base import Document
from videojob_api.pipelines.base import PipelineSpec
from videojob_api.validation.values import UniqueBy


class EnvVar(Document):
    """One plain environment variable; secrets have no place here."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=253)]
    """Name of the variable: letters, digits and underscores."""
    value: Annotated[str, StringConstraints(max_length=4096)] = ""
    """Its value."""


Argument = Annotated[str, StringConstraints(max_length=4096)]


class CustomPipeline(PipelineSpec):
    """A foreign image's command and the free-form part of its config.json."""

    NEEDS_OWN_IMAGE: ClassVar[bool] = True

    command: Annotated[list[Argument], Field(max_length=64)] | None = None
    """Replaces the image's entry point."""
    args: Annotated[list[Argument], Field(max_length=64)] | None = None
    """Replaces the image's arguments."""
    env: Annotated[list[EnvVar], Field(max_length=64), UniqueBy("name")] | None = None
    """Environment of the runner's container."""
    config: dict[str, Any] | None = None
    """Goes into config.json as it is. More than 32 KiB as JSON is not accepted (ConfigTooLarge)."""

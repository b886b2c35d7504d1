"""Fields of `pipeline.custom`: any container that keeps the file contract."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from videojob_api.base import Document


class EnvVar(Document):
    """One plain environment variable; secrets have no place here."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=253)]
    value: Annotated[str, StringConstraints(max_length=4096)] = ""


Argument = Annotated[str, StringConstraints(max_length=4096)]


class Custom(Document):
    """A foreign image's command and the free-form part of its config.json."""

    command: Annotated[list[Argument], Field(max_length=64)] | None = None
    args: Annotated[list[Argument], Field(max_length=64)] | None = None
    env: Annotated[list[EnvVar], Field(max_length=64)] | None = None
    config: dict[str, Any] | None = None
    """Goes into config.json as it is; at most 32 KiB as JSON, which the operator checks (ConfigTooLarge)."""

"""Base classes of all documents: camelCase on the wire, unknown fields rejected, values immutable."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, StringConstraints, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from videojob_api.validation.core import VALIDATIONS_KEY, Rule, camel_case, raise_violations
from videojob_api.validation.values import not_matching

GROUP = "videojobs.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "VideoJob"
PLURAL = "videojobs"
SCHEMA_REVISION = 2
"""Rises with every change of the CustomResourceDefinition; the operator refuses to work with an older one."""

CONTROL_CHARACTERS = "[\\x00-\\x1f\\x7f-\\x9f\u2028-\u202e\u2066-\u2069]"
"""Control characters, and those that turn the direction of text: never in a name (VJ-72).

The latter stand in the pattern as themselves: Python and RE2 escape them differently."""

SAFE_PATH = not_matching(
    rf"(^|/)\.{{0,2}}(/|$)|{CONTROL_CHARACTERS}",
    "must be a relative path without empty parts, '.', '..' or control characters, like 'seeds/init.png'",
)
RelativePath = Annotated[str, StringConstraints(max_length=255), SAFE_PATH]
"""Slash-separated names below a root: no absolute path, no `..`, no control character (VJ-72)."""


def drop_nulls(data: Any) -> Any:
    """Remove null values from a map, as the API server does; return any other value unchanged."""
    return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class Document(BaseModel):
    """
    Base of all models: strict about names and types, frozen, camelCase outside and snake_case inside.

    Absent and null mean the same, as on the API server. `rules` says what must hold between fields.
    """

    model_config = ConfigDict(
        alias_generator=camel_case,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, dict) or None not in data.values():
            return data
        known = {name for field, info in cls.model_fields.items() for name in (field, info.alias)}
        return {name: value for name, value in data.items() if value is not None or name not in known}

    @model_validator(mode="after")
    def _keeps_its_rules(self) -> Self:
        raise_violations([rule.violation(self) for rule in self.rules if not rule.holds(self)])
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The model's JSON schema, with its rules as CEL."""
        reference = handler(schema)
        if cls.rules:
            handler.resolve_ref_schema(reference)[VALIDATIONS_KEY] = [rule.to_cel_entry() for rule in cls.rules]
        return reference


class LenientDocument(Document):
    """Message between versions of our programs: unknown fields are ignored, and times may be text."""

    model_config = ConfigDict(extra="ignore", strict=False)

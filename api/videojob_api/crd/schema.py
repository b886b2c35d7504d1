"""
From pydantic's JSON schema to the structural OpenAPI v3 schema that a CustomResourceDefinition wants.

Structural means: every place has one type and is written out where it stands. So references are resolved, `X or null`
becomes an optional X, and words that Kubernetes does not know are translated or dropped. Anything else that it would
refuse is an error here, so that a new model cannot silently lose its validation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaValue

BOUND_KEYWORDS = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties")
COPIED_KEYWORDS = frozenset({"type", "format", "enum", "required", "pattern", *BOUND_KEYWORDS})
DROPPED_KEYWORDS = frozenset({"title", "description", "$defs"})
NESTED_KEYWORDS = ("properties", "items", "additionalProperties")
FREE_FORM: JsonSchemaValue = {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}
"""The values of a free-form object. A map of these and not one object that preserves all: of the latter CEL's equality
overlooks a renamed key (as many keys on both sides), so that an immutable field could be changed."""


class NotStructural(ValueError):
    """A model says something that a structural schema cannot say."""


def _sort_key(word: tuple[str, Any]) -> tuple[int, str]:
    """Small words first and the type before all: long nested parts hide what stands behind them."""
    name = word[0]
    return (0 if name == "type" else 2 if name.startswith("x-") else 3 if name in NESTED_KEYWORDS else 1, name)


def _without_nulls(default: Any) -> Any:
    """An object that is a default, without its absent fields."""
    if not isinstance(default, dict):
        return default
    return {name: _without_nulls(value) for name, value in default.items() if value is not None}


def structural_schema(model: type[BaseModel], *, defaults: bool = True) -> JsonSchemaValue:
    """The structural schema of a model, with or without the defaults of its fields. Raises NotStructural."""
    schema = model.model_json_schema(mode="validation")
    return _SchemaTranslator(
        schema.get("$defs", {}), dropped=DROPPED_KEYWORDS if defaults else DROPPED_KEYWORDS | {"default"}
    ).of(schema)


TRANSLATORS: Mapping[str, Callable[[Any], JsonSchemaValue]] = {
    "const": lambda value: {"enum": [value]},
    "default": lambda value: {} if value is None else {"default": _without_nulls(value)},
    "exclusiveMinimum": lambda value: {"minimum": value, "exclusiveMinimum": True},
    "exclusiveMaximum": lambda value: {"maximum": value, "exclusiveMaximum": True},
}


class _SchemaTranslator:
    """One schema's translation; `definitions` are what its references name, `dropped` the words to leave out."""

    def __init__(self, definitions: Mapping[str, JsonSchemaValue], *, dropped: frozenset[str]) -> None:
        self._definitions = definitions
        self._dropped = dropped

    def of(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """The translated schema, descriptions first: people read it too."""
        schema = self._without_null(self._resolved(schema))
        if schema.get("x-kubernetes-int-or-string"):
            return self._described(schema) | {name: schema[name] for name in schema if name != "description"}
        words: JsonSchemaValue = {}
        for word, value in schema.items():
            words |= self._word(word, value, schema)
        return self._described(schema) | dict(sorted(words.items(), key=_sort_key))

    def _described(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        text = " ".join(inspect.cleandoc(schema.get("description", "")).split())
        return {"description": text} if text else {}

    def _word(self, word: str, value: Any, schema: JsonSchemaValue) -> JsonSchemaValue:
        if word in COPIED_KEYWORDS or word.startswith("x-kubernetes-"):
            return {"type": "integer", "format": "int64"} if value == "integer" else {word: value}
        if word in self._dropped:
            return {}
        if word in NESTED_KEYWORDS:
            return self._nested(word, value, schema)
        if word in TRANSLATORS:
            return TRANSLATORS[word](value)
        raise NotStructural(f"{word}: {value!r} has no translation; extend crd/schema.py or change the model")

    def _nested(self, word: str, value: Any, schema: JsonSchemaValue) -> JsonSchemaValue:
        if word == "properties":
            return {word: {name: self.of(each) for name, each in value.items()}}
        if value is True:
            return {word: dict(FREE_FORM)}
        if value is False or (word == "additionalProperties" and "properties" in schema):
            return {}
        return {word: self.of(value)}

    def _resolved(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """The schema that a reference names, under the words that stand beside the reference."""
        beside = {word: value for word, value in schema.items() if word not in ("$ref", "allOf")}
        names = [each["$ref"] for each in schema.get("allOf", [])] + ([schema["$ref"]] if "$ref" in schema else [])
        for name in names:
            beside = self._resolved(self._definitions[name.rpartition("/")[2]]) | beside
        return beside

    def _without_null(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """`X or null` as X: on the API server absent and null are the same."""
        if "anyOf" not in schema or schema.get("x-kubernetes-int-or-string"):
            return schema
        others = [each for each in schema["anyOf"] if each != {"type": "null"}]
        if len(others) != 1:
            raise NotStructural(f"a union of {len(others)} types; use a one-of with a field for each")
        return self._resolved(others[0]) | {word: value for word, value in schema.items() if word != "anyOf"}

"""Rules about one value, written into the field's `Annotated[…]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from videojob_api.validation.core import Rule, raise_violations, to_wire, violation

ODD = Rule(
    message="must be odd, so that something stands in the middle",
    cel="self % 2 == 1",
    holds=lambda value: bool(value % 2 == 1),
)


def not_matching(pattern: str, expected: str) -> Rule:
    """Texts in which `pattern` is not found; a pattern that Python and RE2 read alike."""
    return Rule(
        message=expected,
        cel=f"!self.matches(r'{pattern}')",  # searches, as `re.search` does
        holds=lambda value: re.search(pattern, value) is None,
        shows_value=True,
    )


def total_bytes(field: str, *, limit: int) -> Rule:
    """All texts of one field of a list's items together take at most `limit` bytes as UTF-8."""
    name = to_wire(field)
    return Rule(
        message=f"all {name} texts together may hold at most {limit} bytes; put larger ones into s3 or pvc",
        # `map` filters too, as two loops would exceed the cost limit.
        cel=f"self.map(item, has(item.{name}), bytes(item.{name}).size()).sum() <= {limit}",
        holds=lambda value: sum(len((getattr(item, field) or "").encode()) for item in value) <= limit,
    )


def each_in(field: str, choices: tuple[str, ...]) -> Rule:
    """In a list's items, a field that is given has one of the `choices`."""
    name = to_wire(field)
    return Rule(
        message=f"{name} must be one of {', '.join(choices)}",
        cel=f"self.all(item, !has(item.{name}) || item.{name} in {list(choices)})",
        holds=lambda value: all(getattr(item, field) in (None, *choices) for item in value),
    )


@dataclass(frozen=True)
class UniqueBy:
    """Items are identified by `field`, which must be unique (`x-kubernetes-list-type: map`)."""

    field: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Checks after the items."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The API server's own words for it."""
        return handler(schema) | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [to_wire(self.field)]}

    def check(self, items: Any) -> Any:
        """The items. Raises a ValidationError at every one whose key came before."""
        seen: set[Any] = set()
        breaches = []
        for index, item in enumerate(items):
            key = getattr(item, self.field)
            if key in seen:
                explanation = f"{to_wire(self.field)} {key!r} comes twice; give each item its own"
                breaches.append(violation(explanation, where=(index,), value=key))
            seen.add(key)
        raise_violations(breaches)
        return items

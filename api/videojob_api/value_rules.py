"""Rules about one value, written into the field's `Annotated[…]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from videojob_api.rules import ValueRule, breach, report, wire


@dataclass(frozen=True)
class Refuses(ValueRule):
    """Texts in which `pattern` is found; a pattern that Python and RE2 read alike."""

    shows_value: ClassVar[bool] = True
    pattern: str
    wanted: str

    @property
    def message(self) -> str:
        """What the text must be instead."""
        return self.wanted

    def cel(self) -> str:
        """`matches` searches, as `re.search` does."""
        return f"!self.matches(r'{self.pattern}')"

    def holds(self, value: Any) -> bool:
        """Nothing of the kind is found."""
        return re.search(self.pattern, value) is None


@dataclass(frozen=True)
class Odd(ValueRule):
    """Whole numbers with a middle."""

    @property
    def message(self) -> str:
        """What the number must be."""
        return "must be odd, so that something stands in the middle"

    def cel(self) -> str:
        """The remainder."""
        return "self % 2 == 1"

    def holds(self, value: Any) -> bool:
        """The same."""
        return bool(value % 2 == 1)


@dataclass(frozen=True)
class TotalBytes(ValueRule):
    """All texts of one field of a list's items together take at most `limit` bytes as UTF-8."""

    field: str
    limit: int

    @property
    def message(self) -> str:
        """The limit."""
        return (
            f"all {wire(self.field)} texts together may hold at most {self.limit} bytes; put larger ones into s3 or pvc"
        )

    def cel(self) -> str:
        """Sums over those that have the field; `map` filters, as two loops would exceed the cost limit."""
        name = wire(self.field)
        return f"self.map(item, has(item.{name}), bytes(item.{name}).size()).sum() <= {self.limit}"

    def holds(self, value: Any) -> bool:
        """Sums what is there."""
        return sum(len((getattr(item, self.field) or "").encode()) for item in value) <= self.limit


@dataclass(frozen=True)
class EachAmong(ValueRule):
    """In a list's items, a field that is given has one of the `choices`."""

    field: str
    choices: tuple[str, ...]

    @property
    def message(self) -> str:
        """The choices."""
        return f"{wire(self.field)} must be one of {', '.join(self.choices)}"

    def cel(self) -> str:
        """Items without the field are fine."""
        name = wire(self.field)
        return f"self.all(item, !has(item.{name}) || item.{name} in {list(self.choices)})"

    def holds(self, value: Any) -> bool:
        """The same."""
        return all(getattr(item, self.field) in (None, *self.choices) for item in value)


@dataclass(frozen=True)
class UniqueBy:
    """A list map: items are known by `field`, and none comes twice (`x-kubernetes-list-type: map`)."""

    field: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Checks after the items."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The API server's own words for it."""
        return handler(schema) | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [wire(self.field)]}

    def check(self, items: Any) -> Any:
        """The items. Raises a ValidationError at every one whose key came before."""
        seen: set[Any] = set()
        breaches = []
        for index, item in enumerate(items):
            key = getattr(item, self.field)
            if key in seen:
                explanation = f"{wire(self.field)} {key!r} comes twice; give each item its own"
                breaches.append(breach(explanation, where=(index,), value=key))
            seen.add(key)
        report(breaches)
        return items

"""Rules about several fields of one object, for a model's `rules` (see `rules`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from videojob_api.rules import FORBIDDEN, REQUIRED, Rule, lookup, wire


def has(name: str) -> str:
    """CEL for "the field is there"; parents on the way must be there already."""
    return f"has(self.{wire(name)})"


@dataclass(frozen=True, init=False)
class ExactlyOne(Rule):
    """One of the fields, and only one: how a union is written in Kubernetes."""

    fields: tuple[str, ...]

    def __init__(self, *fields: str) -> None:
        object.__setattr__(self, "fields", fields)

    @property
    def message(self) -> str:
        """The choices."""
        return f"exactly one of {', '.join(map(wire, self.fields))} must be given"

    def cel(self) -> str:
        """Counts those that are there."""
        return f"[{', '.join(map(has, self.fields))}].filter(given, given).size() == 1"

    def holds(self, value: Any) -> bool:
        """Counts those that are there."""
        return sum(getattr(value, field) is not None for field in self.fields) == 1


@dataclass(frozen=True, init=False)
class AtLeastOne(Rule):
    """One of the fields or more."""

    reason: ClassVar[str] = REQUIRED
    fields: tuple[str, ...]

    def __init__(self, *fields: str) -> None:
        object.__setattr__(self, "fields", fields)

    @property
    def message(self) -> str:
        """The choices."""
        return f"at least one of {', '.join(map(wire, self.fields))} must be given"

    def cel(self) -> str:
        """Any of them."""
        return " || ".join(map(has, self.fields))

    def holds(self, value: Any) -> bool:
        """The same."""
        return any(getattr(value, field) is not None for field in self.fields)


@dataclass(frozen=True, kw_only=True)
class OnlyWith(Rule):
    """`field` may be `value` only where `needs` is given."""

    field: str
    value: str
    needs: str

    @property
    def message(self) -> str:
        """The condition."""
        return f"{self.value} is possible only with {wire(self.needs)}"

    @property
    def blames(self) -> str:
        """The field with the value."""
        return self.field

    def cel(self) -> str:
        """The field has a default, so it is always there."""
        return f"self.{wire(self.field)} != '{self.value}' || {has(self.needs)}"

    def holds(self, value: Any) -> bool:
        """The same."""
        return getattr(value, self.field) != self.value or lookup(value, self.needs) is not None


@dataclass(frozen=True)
class OnlyAmong(Rule):
    """`field` may be given only where `other`, which has a default, is one of `values`."""

    field: str
    other: str
    values: tuple[str, ...]

    @property
    def message(self) -> str:
        """The condition."""
        return f"{wire(self.field)} has an effect only where {wire(self.other)} is {' or '.join(self.values)}"

    @property
    def blames(self) -> str:
        """The field that is too much."""
        return self.field

    def cel(self) -> str:
        """The other field is always there."""
        return f"!{has(self.field)} || self.{wire(self.other)} in {list(self.values)}"

    def holds(self, value: Any) -> bool:
        """The same."""
        return getattr(value, self.field) is None or getattr(value, self.other) in self.values


@dataclass(frozen=True, kw_only=True)
class Requires(Rule):
    """Where `field` is given, `needs` must be given too."""

    reason: ClassVar[str] = REQUIRED
    field: str
    needs: str
    why: str

    @property
    def message(self) -> str:
        """Both fields and the reason."""
        return f"{wire(self.field)} needs {wire(self.needs)}: {self.why}"

    @property
    def blames(self) -> str:
        """The field that is missing."""
        return self.needs

    def cel(self) -> str:
        """Parents of both fields are required or have defaults."""
        return f"!{has(self.field)} || {has(self.needs)}"

    def holds(self, value: Any) -> bool:
        """The same."""
        return lookup(value, self.field) is None or lookup(value, self.needs) is not None


@dataclass(frozen=True)
class Without(Rule):
    """`field` may not be given beside `other`."""

    reason: ClassVar[str] = FORBIDDEN
    field: str
    other: str
    why: str

    @property
    def message(self) -> str:
        """Both fields and the reason."""
        return f"{wire(self.field)} has no place beside {wire(self.other)}: {self.why}"

    @property
    def blames(self) -> str:
        """The field that is too much."""
        return self.field

    def cel(self) -> str:
        """Not both."""
        return f"!{has(self.field)} || !{has(self.other)}"

    def holds(self, value: Any) -> bool:
        """The same."""
        return getattr(value, self.field) is None or getattr(value, self.other) is None


@dataclass(frozen=True)
class Rising(Rule):
    """A list of numbers rises from item to item."""

    field: str

    @property
    def message(self) -> str:
        """The order."""
        return "must rise from item to item"

    @property
    def blames(self) -> str:
        """The list."""
        return self.field

    def cel(self) -> str:
        """Sorted, no item twice."""
        items = f"self.{wire(self.field)}"
        unique = f"{items}.all(item, {items}.exists_one(other, other == item))"
        return f"!{has(self.field)} || ({items}.isSorted() && {unique})"

    def holds(self, value: Any) -> bool:
        """The same."""
        items = getattr(value, self.field)
        return items is None or items == sorted(set(items))


@dataclass(frozen=True)
class Ascending(Rule):
    """A list of numbers rises from item to item, and its last item is at most `ceiling`."""

    field: str
    ceiling: str

    @property
    def message(self) -> str:
        """Order and ceiling."""
        return f"must rise from item to item and not exceed {wire(self.ceiling)}"

    @property
    def blames(self) -> str:
        """The list."""
        return self.field

    def cel(self) -> str:
        """Sorted, no item twice, none above the ceiling."""
        items = f"self.{wire(self.field)}"
        each = f"{items}.exists_one(other, other == item) && item <= self.{wire(self.ceiling)}"
        return f"!{has(self.field)} || ({items}.isSorted() && {items}.all(item, {each}))"

    def holds(self, value: Any) -> bool:
        """The same."""
        items = getattr(value, self.field)
        return items is None or (items == sorted(set(items)) and all(i <= getattr(value, self.ceiling) for i in items))


@dataclass(frozen=True)
class Immutable(Rule):
    """
    The field stays as it was at creation. Checked by the API server only: one document has no past.

    The form catches adding and removing as well; `self.x == oldSelf.x` alone is not evaluated when either is absent.
    """

    reason: ClassVar[str] = FORBIDDEN
    field: str

    @property
    def message(self) -> str:
        """The remedy."""
        return f"{wire(self.field)} cannot be changed; delete this VideoJob and create a new one"

    @property
    def blames(self) -> str:
        """The field."""
        return self.field

    def cel(self) -> str:
        """A transition rule: it is skipped at creation."""
        new, old = f"self.{wire(self.field)}", f"oldSelf.{wire(self.field)}"
        return f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"

    def holds(self, value: Any) -> bool:
        """Always true of one document."""
        return True

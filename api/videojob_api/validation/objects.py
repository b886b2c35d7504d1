"""Rules about several fields of one object, for a model's `rules` (see `rules`)."""

from __future__ import annotations

from typing import Any

from videojob_api.validation.core import FORBIDDEN, REQUIRED, Rule, lookup, to_wire


def cel_has(name: str) -> str:
    """CEL for "the field is there"; parents on the way must be there already."""
    return f"has(self.{to_wire(name)})"


def exactly_one(*fields: str) -> Rule:
    """One of the fields, and only one: how a union is written in Kubernetes."""
    return Rule(
        message=f"exactly one of {', '.join(map(to_wire, fields))} must be given",
        cel=f"[{', '.join(map(cel_has, fields))}].filter(given, given).size() == 1",
        holds=lambda value: sum(getattr(value, field) is not None for field in fields) == 1,
    )


def at_least_one(*fields: str) -> Rule:
    """One of the fields or more."""
    return Rule(
        message=f"at least one of {', '.join(map(to_wire, fields))} must be given",
        cel=" || ".join(map(cel_has, fields)),
        holds=lambda value: any(getattr(value, field) is not None for field in fields),
        reason=REQUIRED,
    )


def value_requires(field: str, value: str, *, needs: str) -> Rule:
    """`field`, which has a default, may be `value` only where `needs` is given."""
    return Rule(
        message=f"{value} is possible only with {to_wire(needs)}",
        cel=f"self.{to_wire(field)} != '{value}' || {cel_has(needs)}",
        holds=lambda document: getattr(document, field) != value or lookup(document, needs) is not None,
        field_path=field,
    )


def only_where(field: str, *, other: str, values: tuple[str, ...]) -> Rule:
    """`field` may be given only where `other`, which has a default, is one of `values`."""
    return Rule(
        message=f"{to_wire(field)} has an effect only where {to_wire(other)} is {' or '.join(values)}",
        cel=f"!{cel_has(field)} || self.{to_wire(other)} in {list(values)}",
        holds=lambda value: getattr(value, field) is None or getattr(value, other) in values,
        field_path=field,
    )


def requires(field: str, *, needs: str, explanation: str) -> Rule:
    """If `field` is set, `needs` must be set too; parents of both are required or have defaults."""
    return Rule(
        message=f"{to_wire(field)} needs {to_wire(needs)}: {explanation}",
        cel=f"!{cel_has(field)} || {cel_has(needs)}",
        holds=lambda value: lookup(value, field) is None or lookup(value, needs) is not None,
        field_path=needs,
        reason=REQUIRED,
    )


def excludes(field: str, *, other: str, explanation: str) -> Rule:
    """`field` may not be given beside `other`."""
    return Rule(
        message=f"{to_wire(field)} has no place beside {to_wire(other)}: {explanation}",
        cel=f"!{cel_has(field)} || !{cel_has(other)}",
        holds=lambda value: getattr(value, field) is None or getattr(value, other) is None,
        field_path=field,
        reason=FORBIDDEN,
    )


def increasing(field: str, *, maximum: str | None = None) -> Rule:
    """A list of numbers is strictly increasing; its items do not exceed the value of the field `maximum`."""
    items = f"self.{to_wire(field)}"
    each = f"{items}.exists_one(other, other == item)" + (f" && item <= self.{to_wire(maximum)}" if maximum else "")

    def holds(value: Any) -> bool:
        numbers = getattr(value, field)
        if numbers is None:
            return True
        return numbers == sorted(set(numbers)) and not (maximum and numbers and numbers[-1] > getattr(value, maximum))

    return Rule(
        message="must rise from item to item" + (f" and not exceed {to_wire(maximum)}" if maximum else ""),
        cel=f"!{cel_has(field)} || ({items}.isSorted() && {items}.all(item, {each}))",
        holds=holds,
        field_path=field,
    )


def immutable(field: str) -> Rule:
    """
    The field stays as it was at creation. Checked by the API server only: one document has no past.

    The form catches adding and removing as well; `self.x == oldSelf.x` alone is not evaluated when either is absent.
    """
    new, old = f"self.{to_wire(field)}", f"oldSelf.{to_wire(field)}"
    return Rule(
        message=f"{to_wire(field)} cannot be changed; delete this VideoJob and create a new one",
        cel=f"has({new}) == has({old}) && (!has({new}) || {new} == {old})",
        holds=lambda value: True,
        field_path=field,
        reason=FORBIDDEN,
    )

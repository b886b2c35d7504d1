"""
Validation, said once: each rule here is both a check of the pydantic models and a CEL rule of the CRD.

Rules about one value stand in the field's `Annotated[…]`; rules about several fields of one object stand in the model's
`rules`. Both end up in the JSON schema under `x-kubernetes-validations`, from where the CRD generator takes them as
they are. Names of fields are the Python names, with dots between nested ones (`"runner.image"`); on the wire they are
camelCase.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

VALIDATIONS_KEY = "x-kubernetes-validations"
INVALID, REQUIRED, FORBIDDEN = "FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden"


def camel_case(name: str) -> str:
    """`active_seconds` as `activeSeconds`; unlike pydantic's own, `text2video` stays as it is."""
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def to_wire(name: str) -> str:
    """The name of a field as documents spell it: `deadlines.active_seconds` is `deadlines.activeSeconds`."""
    return ".".join(camel_case(part) for part in name.split("."))


def lookup(document: Any, name: str) -> Any:
    """The value of a field, dots leading into nested models; None as soon as something on the way is absent."""
    for part in name.split("."):
        document = None if document is None else getattr(document, part)
    return document


def violation(explanation: str, *, where: tuple[int | str, ...], value: Any) -> InitErrorDetails:
    """One broken rule; `where` leads from the validated value to the field to blame."""
    error = PydanticCustomError("rule", "{explanation}", {"explanation": explanation})
    return InitErrorDetails(type=error, loc=where, input=value)


def raise_violations(breaches: list[InitErrorDetails]) -> None:
    """Raises one ValidationError with all of them, whose places pydantic puts below the present one; none: nothing."""
    if breaches:
        raise ValidationError.from_exception_data("rules", breaches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Rule for one value (in the field's `Annotated[…]`) or one object (in its model's `rules`)."""

    message: str
    """Error message shown to users if the rule is broken."""
    cel: str
    """The rule as a CEL expression over `self`."""
    holds: Callable[[Any], bool] = field(compare=False)
    """The rule as a Python predicate of the validated value."""
    field_path: str = ""
    """Name of the field below the value that must change; empty: the value itself."""
    reason: str = INVALID
    shows_value: bool = False
    """True if the API server's message ends with the value, which must be a string; pydantic's message always contains
    it."""

    def to_cel_entry(self) -> dict[str, str]:
        """The entry under `x-kubernetes-validations`."""
        entry = {"rule": self.cel, "message": self.message, "reason": self.reason}
        if self.shows_value:
            entry["messageExpression"] = json.dumps(f"{self.message}, not '") + """ + self + "'\""""
        return entry | ({"fieldPath": f".{to_wire(self.field_path)}"} if self.field_path else {})

    def violation(self, value: Any) -> InitErrorDetails:
        """The error that pydantic reports when `value` breaks the rule, at the field to change."""
        if not self.field_path:
            return violation(self.message, where=(), value=value)
        where = tuple(to_wire(self.field_path).split("."))
        return violation(self.message, where=where, value=lookup(value, self.field_path))

    def check(self, value: Any) -> Any:
        """The value itself. Raises a ValidationError when it breaks the rule."""
        raise_violations([] if self.holds(value) else [self.violation(value)])
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Checks after the type's own validation."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Adds the rule to the value's schema."""
        json_schema = handler(schema)
        json_schema[VALIDATIONS_KEY] = [*json_schema.get(VALIDATIONS_KEY, []), self.to_cel_entry()]
        return json_schema

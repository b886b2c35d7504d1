"""
Validation, said once: each rule here is both a check of the pydantic models and a CEL rule of the CRD.

A rule is a small value beside the model that it guards. Rules about one value stand in the field's `Annotated[…]`;
rules about several fields of one object stand in the model's `rules`. Both end up in the JSON schema under
`x-kubernetes-validations`, from where the CRD generator takes them as they are. Names of fields are the Python names,
with dots between nested ones (`"runner.image"`); on the wire they are camelCase.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

VALIDATIONS = "x-kubernetes-validations"
INVALID, REQUIRED, FORBIDDEN = "FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden"


def camel_case(name: str) -> str:
    """`active_seconds` as `activeSeconds`; unlike pydantic's own, `text2video` stays as it is."""
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def wire(name: str) -> str:
    """The name of a field as documents spell it: `deadlines.active_seconds` is `deadlines.activeSeconds`."""
    return ".".join(camel_case(part) for part in name.split("."))


def lookup(document: Any, name: str) -> Any:
    """The value of a field, dots leading into nested models; None as soon as something on the way is absent."""
    for part in name.split("."):
        document = None if document is None else getattr(document, part)
    return document


def breach(explanation: str, *, where: tuple[int | str, ...], value: Any) -> InitErrorDetails:
    """One broken rule; `where` leads from the validated value to the field to blame."""
    error = PydanticCustomError("rule", "{explanation}", {"explanation": explanation})
    return InitErrorDetails(type=error, loc=where, input=value)


def report(breaches: list[InitErrorDetails]) -> None:
    """Raises one ValidationError with all of them, whose places pydantic puts below the present one; none: nothing."""
    if breaches:
        raise ValidationError.from_exception_data("rules", breaches)


class Rule(ABC):
    """What must hold for one value or one object; `message` says what is wanted, `field` whom to blame below it."""

    reason: ClassVar[str] = INVALID
    shows_value: ClassVar[bool] = False
    """Whether the API server's message ends with the value, which must be a text then; pydantic's always holds it."""

    @property
    @abstractmethod
    def message(self) -> str:
        """The sentence people read when the rule is broken."""

    @abstractmethod
    def cel(self) -> str:
        """The rule as a CEL expression over `self`."""

    @abstractmethod
    def holds(self, value: Any) -> bool:
        """The rule as Python, over the validated value."""

    @property
    def blames(self) -> str:
        """Python name of the field below the value that must change; empty: the value itself."""
        return ""

    def validation(self) -> dict[str, str]:
        """The entry under `x-kubernetes-validations`."""
        entry = {"rule": self.cel(), "message": self.message, "reason": self.reason}
        if self.shows_value:
            entry["messageExpression"] = json.dumps(f"{self.message}, not '") + """ + self + "'\""""
        return entry | ({"fieldPath": f".{wire(self.blames)}"} if self.blames else {})

    def breach(self, value: Any) -> InitErrorDetails:
        """The error pydantic reports when `value` breaks the rule; it stands at the field that is blamed."""
        where = tuple(wire(self.blames).split(".")) if self.blames else ()
        return breach(self.message, where=where, value=lookup(value, self.blames) if self.blames else value)


class ValueRule(Rule):
    """A rule about one value, written into the field's `Annotated[…]`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Checks after the type's own validation."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Adds the rule to the value's schema."""
        json_schema = handler(schema)
        json_schema[VALIDATIONS] = [*json_schema.get(VALIDATIONS, []), self.validation()]
        return json_schema

    def check(self, value: Any) -> Any:
        """The value itself. Raises PydanticCustomError when the rule is broken."""
        report([] if self.holds(value) else [self.breach(value)])
        return value

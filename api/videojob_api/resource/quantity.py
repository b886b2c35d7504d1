"""Kubernetes quantities: `500m`, `20Gi`, `1`; numbers are welcome and become text."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
LONGEST = 32


def number_as_text(value: Any) -> Any:
    """A whole number as its digits; anything else as it is, for the type to judge."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Quantity = Annotated[
    str,
    StringConstraints(pattern=PATTERN, max_length=LONGEST),
    BeforeValidator(number_as_text),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": PATTERN,
            "maxLength": LONGEST,
            "minimum": 0,
        }
    ),
]
"""An amount, not negative: `500m`, `20Gi`, `1`."""

"""Kubernetes quantities: `500m`, `20Gi`, `1`; numbers are welcome and become text."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
MAX_QUANTITY_CHARS = 32


def integer_to_text(value: Any) -> Any:
    """Convert an integer to its digits; return any other value unchanged, for the type to validate."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Quantity = Annotated[
    str,
    StringConstraints(pattern=QUANTITY_PATTERN, max_length=MAX_QUANTITY_CHARS),
    BeforeValidator(integer_to_text),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": QUANTITY_PATTERN,
            "maxLength": MAX_QUANTITY_CHARS,
            "minimum": 0,
        }
    ),
]
"""A non-negative Kubernetes quantity: `500m`, `20Gi`, `1`."""

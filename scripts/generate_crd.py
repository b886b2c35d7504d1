"""
The files that follow from the models: the CRD, the chart's copy of it, and the reference page.

`python -m scripts.generate_crd` writes them; with `--check` it writes nothing and fails when one of them is not up to
date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from videojob_api.crd.render import build_crd, render_yaml

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "minLength": "≥ {} characters",
    "maxLength": "≤ {} characters",
    "maxItems": "≤ {} items",
    "maxProperties": "≤ {} entries",
    "pattern": "matches `{}`",
}

PAGE_HEADER = """# VideoJob: every field

Generated from the models in `api/videojob_api` by `make generate`; `kubectl explain videojob` shows the same.

A field in **bold** must be given. A spec does not change after creation, except for the fields that say so: for another
video, create another VideoJob. Unknown fields are refused by clients that validate strictly (kubectl does) and dropped
with a warning by others. `null` means the same as leaving a field out.

## spec

{spec}

## status

Written by the operator. `conditions` are the contract; `state` is a word for people.

{status}
"""


def fields(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Path, schema and whether required of each field below a schema, parents first."""
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        here = f"{path}{name}"
        yield here, field, name in required
        yield from fields(field, f"{here}.")
        if isinstance(field.get("items"), dict):
            yield from fields(field["items"], f"{here}[].")


def type_name(field: Mapping[str, Any]) -> str:
    """The type in words."""
    if "type" not in field and "x-kubernetes-preserve-unknown-fields" in field:
        return "anything"
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    if field["type"] == "array":
        return f"list of {type_name(field['items'])}"
    if "additionalProperties" in field:
        return f"map to {type_name(field['additionalProperties'])}"
    return str(field.get("format", "").replace("int64", "") or field["type"])


def limits(field: Mapping[str, Any]) -> str:
    """Default, choices and bounds, in that order."""
    found = [f"default `{field['default']}`"] if isinstance(field.get("default"), str | int | float) else []
    found += [" or ".join(f"`{choice}`" for choice in field["enum"])] if "enum" in field else []
    found += [text.format(field[word]) for word, text in LIMITS.items() if word in field]
    rules = field.get("x-kubernetes-validations", ())
    return ", ".join(found + [rule["message"] for rule in rules if rule["reason"] != "FieldValueForbidden"])


def table_row(path: str, field: Mapping[str, Any], required: bool) -> str:
    """One line of the table."""
    name = f"**`{path}`**" if required else f"`{path}`"
    cells = (name, type_name(field), field.get("description", ""), limits(field))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def field_table(schema: Mapping[str, Any]) -> str:
    """All fields below a schema."""
    head = "| Field | Type | Meaning | Default and limits |\n|---|---|---|---|\n"
    return head + "\n".join(table_row(path, field, required) for path, field, required in fields(schema))


def reference_page() -> str:
    """The reference page."""
    parts = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    return PAGE_HEADER.format(spec=field_table(parts["spec"]), status=field_table(parts["status"]))


def generated_files() -> dict[Path, str]:
    """Every generated file and what it must hold."""
    crd = render_yaml()
    return {
        ROOT / "crds/videojobs.yaml": crd,
        ROOT / "helm/videojob/files/videojobs.yaml": crd,
        ROOT / "docs/reference/videojob.md": reference_page(),
    }


def stale_files(files: Mapping[Path, str]) -> list[Path]:
    """Those that are missing or hold something else."""
    return [path for path, text in files.items() if not path.is_file() or path.read_text() != text]


def main(arguments: list[str]) -> int:
    """Writes what is stale, or with `--check` names it and returns 1."""
    files = generated_files()
    old = stale_files(files)
    for path in old:
        print(f"{path.relative_to(ROOT)} is out of date" + (": run `make generate`" * ("--check" in arguments)))
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path])
    return 1 if old and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

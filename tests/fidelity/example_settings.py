"""The settings of the examples, which are what the documentation tells users to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "examples"


def fields_of(example: str) -> dict[str, Any]:
    """`pipeline.vqganClip` of an example."""
    manifest = yaml.safe_load((FOLDER / f"{example}.yaml").read_text())
    fields: dict[str, Any] = manifest["spec"]["pipeline"]["vqganClip"]
    return fields


def changed(fields: dict[str, Any], *, seed: int, **form: Any) -> dict[str, Any]:
    """The same with another seed, and with other fields in its form; a None takes one away."""
    (name,) = {"image", "video", "styleTransfer", "timelapse"} & fields.keys()
    merged = {key: value for key, value in {**fields[name], **form}.items() if value is not None}
    return {**fields, "seed": seed, name: merged}

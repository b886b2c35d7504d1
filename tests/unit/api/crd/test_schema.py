"""From models to a structural schema: the translation by itself, and what the whole must hold."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field
from videojob_api.base import Document
from videojob_api.crd.render import build_crd, render_yaml
from videojob_api.crd.schema import NotStructural, structural_schema
from videojob_api.resource.spec import MUTABLE_FIELDS, VideoJobSpec
from videojob_api.validation.objects import immutable

from tests import spec_fields

ROOT = Path(__file__).resolve().parents[4]


class Inner(Document):
    """An inner object."""

    size: Annotated[float, Field(gt=0, lt=2)] = 1
    """How large."""


class Outer(Document):
    """An outer object,
    described in two lines."""

    inner: Inner = Inner()
    """Its inner object."""
    maybe: Inner | None = None
    word: Literal["one"] = "one"
    free: dict[str, Any] | None = None
    count: Annotated[int, Field(ge=1)]


def test_a_model_becomes_one_tree_without_references_unions_and_nulls() -> None:
    size = {
        "description": "How large.",
        "type": "number",
        "default": 1,
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 2,
        "exclusiveMaximum": True,
    }
    assert structural_schema(Outer) == {
        "description": "An outer object, described in two lines.",
        "type": "object",
        "required": ["count"],
        "properties": {
            "inner": {
                "description": "Its inner object.",
                "type": "object",
                "default": {"size": 1},
                "properties": {"size": size},
            },
            "maybe": {"description": "An inner object.", "type": "object", "properties": {"size": size}},
            "word": {"type": "string", "enum": ["one"], "default": "one"},
            "free": {
                "type": "object",
                "additionalProperties": {"x-kubernetes-preserve-unknown-fields": True, "nullable": True},
            },
            "count": {"type": "integer", "format": "int64", "minimum": 1},
        },
    }


class EitherOr(Document):
    """A union, which Kubernetes cannot say."""

    value: int | str


class Multiple(Document):
    """A word of JSON schema that Kubernetes does not know."""

    value: Annotated[int, Field(multiple_of=16)]


@pytest.mark.parametrize(("model", "says"), [(EitherOr, "union of 2 types"), (Multiple, "multipleOf: 16")])
def test_what_a_structural_schema_cannot_say_is_an_error_and_never_lost(model: type[Document], says: str) -> None:
    with pytest.raises(NotStructural, match=says):
        structural_schema(model)


def test_every_field_is_explained() -> None:
    silent = [path for path, field in spec_fields.fields() if len(field.get("description", "")) < 8]
    assert silent == []


def test_everything_has_a_size_or_the_server_would_refuse_the_rules() -> None:
    limits = {"string": ("maxLength", "enum"), "array": ("maxItems",)}
    endless = [
        path
        for path, field in spec_fields.fields()
        for kind in limits
        if field.get("type") == kind and not any(limit in field for limit in limits[kind])
    ]
    assert endless == []


def test_each_field_of_a_spec_is_immutable_unless_it_is_said_to_be_mutable() -> None:
    rules = [rule.field_path for rule in VideoJobSpec.rules if rule == immutable(rule.field_path)]
    inner = ["deadlines"]  # judged field by field
    assert sorted([*rules, *inner, *(name for name in MUTABLE_FIELDS if "." not in name)]) == sorted(
        VideoJobSpec.model_fields
    )


def test_a_field_that_may_change_says_so() -> None:
    texts = {path: field["description"] for path, field in spec_fields.fields()}
    assert "Can be changed" in texts["suspend"]
    assert "Can be changed" in texts["deadlines.activeSeconds"]


def test_immutability_also_catches_adding_and_removing() -> None:
    assert immutable("managed_by").cel == (
        "has(self.managedBy) == has(oldSelf.managedBy) && (!has(self.managedBy) || self.managedBy == oldSelf.managedBy)"
    )


def test_a_new_object_says_that_nobody_has_seen_it_yet() -> None:
    [version] = build_crd()["spec"]["versions"]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert status["default"]["observedGeneration"] == -1
    assert {c["type"]: c["status"] for c in status["default"]["conditions"]} == {
        "Accepted": "Unknown",
        "Reconciling": "Unknown",
        "Succeeded": "Unknown",
    }
    assert "default" not in str({name: each for name, each in status.items() if name != "default"})


def test_the_rendered_text_is_the_definition_and_the_committed_file() -> None:
    assert yaml.safe_load(render_yaml()) == build_crd()
    assert (ROOT / "crds/videojobs.yaml").read_text() == render_yaml()


def test_the_module_prints_it() -> None:
    command = [sys.executable, "-m", "videojob_api.crd"]
    done = subprocess.run(command, cwd=ROOT / "api", capture_output=True, text=True, check=True)
    assert done.stdout == render_yaml()

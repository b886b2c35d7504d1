"""
What may change after creation, asked of the real API server for every field of a spec: adding, removing, changing.

The expectation is made without the rules under test: two specs, with defaults filled in and without the fields that
may change, are equal or they are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from videojob_api.resource.spec import VideoJobSpec

from tests import corpus, spec_fields, validation_result
from tests.apiserver.api.dry_run import DryRunValidator

pytestmark = pytest.mark.apiserver

MUTABLE = ("suspend", "deadlines.activeSeconds", "deadlines.pendingSeconds")


@dataclass(frozen=True)
class Transition:
    """A change of one field, from one good manifest to another."""

    name: str
    old: corpus.Manifest
    new: corpus.Manifest


def without(manifest: corpus.Manifest, path: str) -> corpus.Manifest:
    """A copy that lacks the field."""
    copy = corpus.with_edits(manifest, {})
    *parents, last = path.split(".")
    place: Any = copy["spec"]
    for name in parents:
        place = place[0] if name == "0" else place[name]
    place.pop(last, None)
    return copy


def immutable_part(manifest: corpus.Manifest) -> dict[str, Any]:
    """The spec with its defaults, by the field that the API server would blame, without what may change."""
    spec = VideoJobSpec.model_validate(manifest["spec"]).model_dump(by_alias=True, mode="json")
    deadlines = {f"deadlines.{name}": value for name, value in spec.pop("deadlines").items()}
    return {name: value for name, value in (spec | deadlines).items() if name not in MUTABLE}


def blamed(transition: Transition) -> set[str]:
    """The fields that must be named in the refusal; none when the change is allowed."""
    old, new = immutable_part(transition.old), immutable_part(transition.new)
    return {f"spec.{name}" for name in old if old[name] != new[name]}


def table() -> Iterator[Transition]:
    """Every field added, removed and changed, as far as both sides are good manifests."""
    for path, schema in spec_fields.fields():
        one, other = (spec_fields.manifest_with(path, other=other) for other in (False, True))
        some = other if schema.get("default") == spec_fields.example(path, schema) else one
        missing = without(some, path)
        if validation_result.validate_with_models(missing).good:
            yield Transition(f"{path} added", missing, some)
            yield Transition(f"{path} removed", some, missing)
        if one != other:
            yield Transition(f"{path} changed", one, other)


def free_form() -> Iterator[Transition]:
    """Free-form objects: as many keys on both sides, but other ones."""
    cases: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "a key": ({"a": 1}, {"b": 1}),
        "a key of null": ({"a": None}, {"b": None}),
        "a key further down": ({"a": {"x": 1}}, {"a": {"y": 1}}),
        "a key in a list": ({"a": [{"x": 1}]}, {"a": [{"y": 1}]}),
        "a value to null": ({"a": 1}, {"a": None}),
        "a value to a text": ({"a": 1}, {"a": "1"}),
    }
    for name, (old, new) in cases.items():
        for path in ("pipeline.custom.config", "pod.affinity", "pod.tolerations"):
            yield Transition(f"{path}: {name}", _with(path, old), _with(path, new))


def _with(path: str, value: dict[str, Any]) -> corpus.Manifest:
    manifest = corpus.with_edits(corpus.BASE, corpus.CUSTOM)
    return corpus.with_edits(manifest, {f"spec.{path}": [value] if path.endswith("s") else value})


TABLE = {each.name: each for each in [*table(), *free_form()]}


@pytest.fixture(scope="module")
def judged(judge: DryRunValidator) -> dict[str, validation_result.ValidationResult]:
    """The verdict on every transition, asked for all at once."""
    return dict(zip(TABLE, judge.changes([(each.old, each.new) for each in TABLE.values()]), strict=True))


def test_the_table_holds_every_field_of_the_spec() -> None:
    leaves = {path for path, schema in spec_fields.fields() if "properties" not in schema}
    assert {name.rsplit(" ", 1)[0] for name in TABLE} >= leaves


def test_most_of_the_table_is_real_change() -> None:
    assert sum(bool(blamed(each)) for each in TABLE.values()) > 200


@pytest.mark.parametrize("name", TABLE)
def test_only_what_may_change_changes(judged: dict[str, validation_result.ValidationResult], name: str) -> None:
    assert judged[name].fields == blamed(TABLE[name]), judged[name].text


@pytest.mark.parametrize("name", MUTABLE)
def test_what_may_change_does(judged: dict[str, validation_result.ValidationResult], name: str) -> None:
    for how in ("added", "removed"):
        assert judged[f"{name} {how}"].good


def test_a_refusal_says_what_to_do(judged: dict[str, validation_result.ValidationResult]) -> None:
    text = judged["pipeline.vqganClip.seed changed"].text
    assert "pipeline cannot be changed; delete this VideoJob and create a new one" in text

"""
The resource's fields are a promise: the list changes only on purpose, with SCHEMA_REVISION and the change log.

Adding a field is fine. Renaming or removing one, or another default, breaks everybody's manifests.
"""

import json
from pathlib import Path

from videojob_api.crd.render import build_crd, render_yaml

from tests import spec_fields

FIELDS = Path(__file__).parent / "frozen_fields.txt"


def line(path: str, field: spec_fields.Schema) -> str:
    """A field with its default, as the list holds it; objects get theirs from their fields."""
    default = field.get("default")
    return path if default is None or isinstance(default, dict) else f"{path} = {json.dumps(default)}"


def test_the_fields_of_a_spec_and_their_defaults_are_those_that_were_promised() -> None:
    assert [line(*each) for each in spec_fields.fields()] == FIELDS.read_text().splitlines()


def test_names_columns_and_selectors_are_those_that_were_promised() -> None:
    spec = build_crd()["spec"]
    [version] = spec["versions"]
    assert (spec["group"], spec["scope"], version["name"]) == ("videojobs.dev", "Namespaced", "v1alpha1")
    assert spec["names"] == {
        "kind": "VideoJob",
        "listKind": "VideoJobList",
        "plural": "videojobs",
        "singular": "videojob",
        "shortNames": ["vj"],
        "categories": ["videojobs"],
    }
    columns = [(column["name"], column.get("priority", 0)) for column in version["additionalPrinterColumns"]]
    assert columns == [
        ("State", 0),
        ("Progress", 0),
        ("Frames", 0),
        ("Attempt", 1),
        ("Reason", 1),
        ("Output", 1),
        ("Age", 0),
    ]
    assert version["selectableFields"] == [{"jsonPath": ".status.state"}]
    assert version["subresources"] == {"status": {}}


def test_the_definition_stays_below_the_limit_of_what_a_chart_can_carry() -> None:
    assert len(render_yaml().encode()) < 200_000

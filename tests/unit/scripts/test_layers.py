"""The diagram of layers in CONTRIBUTING.md."""

from pathlib import Path

import pytest

from scripts.layers import insert_layers, render_layers

ROOT = Path(__file__).resolve().parents[3]

RULES = """
[[tool.importlinter.contracts]]
name = "Layers"
type = "layers"
containers = ["product"]
layers = ["app", "left | right", "base"]

[[tool.importlinter.contracts]]
name = "Something else"
type = "forbidden"
"""


def test_the_layers_of_a_package_are_listed_from_top_to_bottom() -> None:
    assert render_layers(RULES) == "```text\nproduct\n    app > left, right > base\n```\n"


def test_a_document_without_the_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="no line '<!-- layers"):
        insert_layers("# Contributing\n", "diagram")


def test_contributing_shows_the_layers_of_pyproject() -> None:
    document = (ROOT / "CONTRIBUTING.md").read_text()
    diagram = render_layers((ROOT / "pyproject.toml").read_text())
    assert insert_layers(document, diagram) == document, "run `python -m scripts.layers`"

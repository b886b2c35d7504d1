"""Every VideoJob in `examples/` is one that the API server would take."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import validation_result

FOLDER = Path(__file__).resolve().parents[3] / "examples"
MANIFESTS = [
    pytest.param(document, id=f"{path.relative_to(FOLDER)}:{document['metadata']['name']}")
    for path in sorted(FOLDER.rglob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
    if document and document.get("kind") == "VideoJob"
]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_an_example_is_a_good_manifest(manifest: dict[str, Any]) -> None:
    assert validation_result.validate_with_models(manifest) == validation_result.ValidationResult(frozenset())

"""What several tests of fidelity share, each made once for all of them."""

from __future__ import annotations

import pytest

from tests.fidelity.classifier import ShapeClassifier, load_or_train


@pytest.fixture(scope="session")
def judge() -> ShapeClassifier:
    """The neural judge, trained on first use."""
    return load_or_train()

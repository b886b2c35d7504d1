"""What several tests of fidelity share, each made once for all of them."""

from __future__ import annotations

import pytest

from tests.fidelity.classifier import Judge, judge_from_cache


@pytest.fixture(scope="session")
def judge() -> Judge:
    """The neural judge, trained on first use."""
    return judge_from_cache()

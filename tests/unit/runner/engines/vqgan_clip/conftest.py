"""Fixtures that the tests of whole engine runs share."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, FakeModelResolver, HarnessFactory


@pytest.fixture
def world(tmp_path: Path, generator_folder: Path, perceptor_folder: Path) -> HarnessFactory:
    """Makes a fresh world on the tiny packs."""
    numbers = count()

    def make(**options: Any) -> EngineHarness:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return EngineHarness(FakeModelResolver(generator_folder, perceptor_folder), folder, **options)

    return make

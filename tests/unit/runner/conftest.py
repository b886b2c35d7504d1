"""Fixtures that tests of models and engines share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.runner.tiny_packs import ARCHITECTURE, clip_tensors, vqgan_tensors, write_pack


@pytest.fixture(scope="session")
def generator_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny VQGAN pack of random weights, without defaults of its own."""
    folder = tmp_path_factory.mktemp("packs") / "tiny-vqgan"
    return write_pack(folder, vqgan_tensors(), kind="vqgan", architecture=ARCHITECTURE)


@pytest.fixture(scope="session")
def perceptor_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP pack of random weights that asks for four cutouts."""
    folder = tmp_path_factory.mktemp("packs") / "tiny-clip"
    return write_pack(folder, clip_tensors(), kind="clip", defaults={"cuts": 4})

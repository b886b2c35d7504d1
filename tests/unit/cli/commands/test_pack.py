"""`videojob pack convert` as its users meet it: arguments, exit codes, a folder."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.runner.convert.checkpoints import save_lightning, vqgan_config, vqmodel, write_yaml

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "CUDA_VISIBLE_DEVICES": ""}


def convert(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "videojob_cli", "pack", "convert", *map(str, arguments)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_lightning(tmp_path / "last.ckpt", vqmodel())


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_yaml(tmp_path / "model.yaml", vqgan_config())


def test_a_good_conversion_ends_with_0_and_prints_folder_and_digest(
    checkpoint: Path, config: Path, tmp_path: Path
) -> None:
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    done = convert(checkpoint, tmp_path / "small", "--config", config, "--licence", "MIT", "--sha256", digest)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    folder, printed = done.stdout.split()
    assert folder == str(tmp_path / "small")
    assert printed == "sha256:" + hashlib.sha256((tmp_path / "small/pack.json").read_bytes()).hexdigest()


def test_another_digest_than_the_publisher_s_ends_with_65_and_leaves_nothing(
    checkpoint: Path, config: Path, tmp_path: Path
) -> None:
    done = convert(checkpoint, tmp_path / "small", "--config", config, "--sha256", "0" * 64)
    assert done.returncode == 65
    assert "instead of 000" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "model.yaml"]


def test_where_torch_is_missing_the_remedy_is_said(checkpoint: Path, tmp_path: Path) -> None:
    program = "import sys; sys.modules['torch'] = None; from videojob_cli.app import main; main()"
    command = [sys.executable, "-c", program, "pack", "convert", str(checkpoint), str(tmp_path / "small")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 64
    assert "converting needs torch: pip install 'videojob[cli,convert]'" in done.stderr

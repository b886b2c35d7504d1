"""`scripts/bootstrap.sh` before it can install anything: its errors say what to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "bootstrap.sh"
FAILING_UV = "#!/bin/sh\necho '{text}' >&2\nexit 2\n"


def bootstrap(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {"VENV": str(folder / "venv"), "VIDEOJOB_CACHE": str(folder / "cache")} | environment
    return subprocess.run(
        ["sh", str(SCRIPT)], cwd=folder, env=os.environ | settings, capture_output=True, text=True, check=False
    )


def failing_uv(folder: Path, text: str) -> dict[str, str]:
    """A PATH on which uv ends with an error."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "uv").write_text(FAILING_UV.format(text=text))
    (programs / "uv").chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}"}


def test_without_a_python_that_is_new_enough_it_says_how_to_name_one(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "old").chmod(0o755)
    for name in (str(tmp_path / "old"), "/nowhere/python3"):
        done = bootstrap(tmp_path, PYTHON=name)
        assert done.returncode == 1
        assert f"make: no Python 3.11 or newer among {name}" in done.stderr
        assert "PYTHON=/path/to/python3" in done.stderr


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("error: failed to write: No space left on device (os error 28)", "UV_CACHE_DIR="),
        ("error: Failed to fetch: dns error: failed to lookup address", "HTTPS_PROXY"),
        ("error: Hash mismatch for torch", "the reason stands above"),
    ],
)
def test_a_failed_installation_ends_with_the_remedy(tmp_path: Path, text: str, remedy: str) -> None:
    done = bootstrap(tmp_path, **failing_uv(tmp_path, text))
    assert done.returncode == 1
    assert text in done.stderr
    assert remedy in done.stderr.splitlines()[-1]


def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = bootstrap(tmp_path, VIDEOJOB_CACHE=str(tmp_path / "file"), **failing_uv(tmp_path, "-"))
    assert done.returncode == 1
    assert "set VIDEOJOB_CACHE" in done.stderr

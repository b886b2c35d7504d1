"""The same manifest without a cluster gives the same frames, byte for byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.kube import has_succeeded
from tests.e2e.lab import Lab
from tests.e2e.manifests import EXAMPLES, quickstart


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `videojob run` published into."""
    output = tmp_path_factory.mktemp("local")
    command = [sys.executable, "-m", "videojob_cli", "run", str(EXAMPLES / "quickstart.yaml"), "--output", str(output)]
    subprocess.run(command, check=True, cwd=EXAMPLES.parent, timeout=400)
    return next(output.rglob("manifest.json")).parent


def test_frames_of_the_local_run_equal_the_pods(local: Path, lab: Lab) -> None:
    manifest = quickstart()
    run = lab.watch(manifest, timeout=400)
    assert has_succeeded(run.end), run.end["status"]
    ours = {path.name: path.read_bytes() for path in (local / "frames").glob("*.png")}
    theirs = {path.name: path.read_bytes() for path in (run.folder / "frames").glob("*.png")}
    assert len(ours) == manifest["spec"]["pipeline"]["vqganClip"]["video"]["frames"]
    assert ours == theirs

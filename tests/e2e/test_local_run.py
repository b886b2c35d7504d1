"""The same manifest without a cluster gives the same frames, byte for byte."""

from __future__ import annotations

from tests.e2e.kube import has_succeeded
from tests.e2e.lab import Lab, LocalRun
from tests.e2e.manifests import quickstart


def test_frames_of_the_local_run_equal_the_pods(local_run: LocalRun, lab: Lab) -> None:
    manifest = quickstart()
    run = lab.watch(manifest, timeout=400)
    assert has_succeeded(run.end), run.end["status"]
    ours = {path.name: path.read_bytes() for path in (local_run.folder(timeout=400) / "frames").glob("*.png")}
    theirs = {path.name: path.read_bytes() for path in (run.folder / "frames").glob("*.png")}
    assert len(ours) == manifest["spec"]["pipeline"]["vqganClip"]["video"]["frames"]
    assert ours == theirs

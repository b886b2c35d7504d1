"""One true line: apply, live progress, frames, a playable mp4, a manifest whose digests are right, a verdict."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import av
import pytest
from PIL import Image

from tests.e2e.environment import E2eEnvironment, JobRun
from tests.e2e.kube import Kube, Manifest, condition, has_succeeded, is_over
from tests.e2e.manifests import videojob

FRAMES, FPS = 30, 10


def ahead(lab: E2eEnvironment) -> list[Manifest]:
    """A TEST job of 30 seconds."""
    pipeline = {"vqganClip": {"width": 128, "height": 96, "video": {"prompts": "a red circle", "frames": FRAMES}}}
    return [videojob("first-light", pipeline=pipeline, encoding={"fps": FPS}, test={"durationSeconds": 30})]


@pytest.fixture(scope="module")
def run(lab: E2eEnvironment) -> JobRun:
    """The job, watched from its first version to its verdict."""
    return lab.result("first-light")


def percents(seen: list[Manifest]) -> set[int]:
    """Percents that stood in the status while the job ran."""
    running = [item for item in seen if not is_over(item)]
    return {item["status"]["progress"]["percent"] for item in running if "progress" in item.get("status", {})}


def test_progress_moves_in_the_status_while_the_job_runs(run: JobRun) -> None:
    assert len(percents(run.versions) - {0, 100}) >= 5


def test_progress_never_goes_back(run: JobRun) -> None:
    order = [item["status"]["progress"]["percent"] for item in run.versions if "progress" in item.get("status", {})]
    assert order == sorted(order)


def test_the_job_has_succeeded_and_says_so_in_every_word(run: JobRun) -> None:
    assert has_succeeded(run.last)
    assert condition(run.last, "OutputPublished")["status"] == "True"
    assert condition(run.last, "Reconciling")["status"] == "False"
    assert run.last["status"]["state"] == "Succeeded"
    assert run.last["status"]["progress"]["frames"] == f"{FRAMES}/{FRAMES}"
    assert run.last["status"]["observedGeneration"] == run.last["metadata"]["generation"]


def test_every_frame_lies_on_the_claim(run: JobRun) -> None:
    frames = sorted((run.folder / "frames").glob("*.png"))
    assert len(frames) == FRAMES
    for frame in frames:
        with Image.open(frame) as picture:
            assert picture.size == (128, 96)


def test_the_mp4_plays_for_frames_over_fps_seconds(run: JobRun) -> None:
    (video,) = run.folder.glob("*.mp4")
    with av.open(str(video)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
        assert pictures == FRAMES
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(FRAMES / FPS, abs=0.01)


def test_the_manifest_lists_every_file_with_its_digest(run: JobRun) -> None:
    text = (run.folder / "manifest.json").read_bytes()
    manifest = json.loads(text)
    listed = {item["path"]: item["sha256"] for item in manifest["files"]}
    assert listed == {name: digest for name, digest in digests(run.folder).items() if name != "manifest.json"}
    assert manifest["job"]["uid"] == run.last["metadata"]["uid"]
    published = run.last["status"]["output"]["manifestDigest"].removeprefix("sha256:")
    assert published == hashlib.sha256(text).hexdigest()


def test_kubectl_get_tells_the_truth_at_a_glance(run: JobRun, kube: Kube) -> None:
    line = kube.run("get", "vj", "first-light", "--no-headers").split()
    assert line[:4] == ["first-light", "Succeeded", "100", f"{FRAMES}/{FRAMES}"]


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, by relative name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

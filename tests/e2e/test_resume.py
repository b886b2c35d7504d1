"""
The quickstart in a cluster that takes its pod away twice, and without a cluster, undisturbed: the same frames.

One job tells both that a job goes on where it was and that the command line does what the cluster does; more moments,
forms and destinations are in `test_ten_moments.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.disruptions import DisruptedRun
from tests.e2e.environment import E2eEnvironment, LocalRun
from tests.e2e.kube import condition, has_succeeded
from tests.e2e.manifests import DEFAULT_DISRUPTIONS, QUICKSTART, example


@pytest.fixture(scope="module")
def life(lab: E2eEnvironment) -> DisruptedRun:
    """The job, whose first pod was deleted and whose second was killed."""
    life = lab.disrupted_runs["quickstart"].result()
    assert has_succeeded(life.end), life.end["status"]
    return life


def frames(folder: Path) -> dict[str, bytes]:
    """The frames of a run, by name."""
    return {path.name: path.read_bytes() for path in (folder / "frames").glob("*.png")}


def test_its_frames_are_those_of_the_run_without_a_cluster(
    lab: E2eEnvironment, life: DisruptedRun, local_run: LocalRun
) -> None:
    undisturbed = frames(local_run.folder(timeout=400))
    assert len(undisturbed) == example(QUICKSTART)["spec"]["pipeline"]["vqganClip"]["video"]["frames"]
    assert frames(lab.folder(life.end)) == undisturbed


def test_each_attempt_goes_on_where_the_one_before_has_saved_and_says_so(life: DisruptedRun) -> None:
    deleted, killed, last = life.end["status"]["attempts"]
    # A deleted pod takes its exit code with it; another test has the operator away for a while, who then never sees it.
    assert deleted.get("exitCode") in (75, None)
    assert (killed["exitCode"], last["exitCode"]) == (137, 0)
    assert [moment.kind for moment in DEFAULT_DISRUPTIONS] == ["deleted", "killed"]
    for step, moment in zip(life.resumed_steps, DEFAULT_DISRUPTIONS, strict=True):
        assert step is not None
        assert step >= moment.step
    assert f"resumed after step {life.resumed_steps[-1]}" in condition(life.running, "Running")["message"]


def test_its_output_is_what_the_manifest_lists_and_no_checkpoint_is_left(
    lab: E2eEnvironment, life: DisruptedRun
) -> None:
    folder = lab.folder(life.end)
    files = {file["path"] for file in json.loads((folder / "manifest.json").read_text())["files"]}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == files | {"frames", "manifest.json"}

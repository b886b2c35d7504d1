"""Suspending gives the device back, resuming goes on, deleting leaves the output alone."""

from __future__ import annotations

import pytest

from tests.e2e.environment import E2eEnvironment
from tests.e2e.kube import Kube, Manifest, condition, has_succeeded
from tests.e2e.manifests import videojob

GPU = {"limits": {"cpu": "500m", "memory": "512Mi", "example.com/gpu": 1}, "requests": {"cpu": "20m"}}


def with_gpu(name: str, *, seconds: int) -> dict[str, object]:
    """A TEST job that holds the only fake device."""
    return videojob(name, runner={"accelerator": "None", "resources": GPU}, test={"durationSeconds": seconds})


@pytest.fixture
def one_gpu(node_with_one_gpu: str) -> str:
    """The node has exactly one `example.com/gpu`."""
    return node_with_one_gpu


def is_running(job: dict[str, object]) -> bool:
    """Whether the runner has started."""
    return condition(job, "Running").get("status") == "True"


def test_suspend_frees_the_device_and_resume_runs_on(lab: E2eEnvironment, kube: Kube, one_gpu: str) -> None:
    kube.apply(with_gpu("holder", seconds=20))
    kube.until("vj", "holder", is_running, timeout=60)
    kube.apply(with_gpu("waiter", seconds=3))
    waiting = kube.until(
        "vj", "waiter", lambda job: condition(job, "Running").get("reason") == "Unschedulable", timeout=30
    )
    assert "example.com/gpu" in condition(waiting, "Running")["message"]

    # How soon depends on what else the node renders: five seconds, when nothing. A holder that had ended by itself
    # would not be suspended.
    kube.patch("vj", "holder", {"spec": {"suspend": True}})
    kube.until("vj", "waiter", is_running, timeout=60)
    suspended = kube.until("vj", "holder", lambda job: condition(job, "Suspended").get("status") == "True", timeout=15)
    assert suspended["status"]["state"] == "Suspended"
    assert has_succeeded(lab.end_of("waiter", timeout=60))

    kube.patch("vj", "holder", {"spec": {"suspend": False}})
    assert has_succeeded(lab.end_of("holder", timeout=90))


def ahead(lab: E2eEnvironment) -> list[Manifest]:
    """The job that is deleted once it is over."""
    return [videojob("passing")]


def test_deleting_removes_everything_but_the_output(lab: E2eEnvironment, kube: Kube) -> None:
    run = lab.result("passing")
    assert has_succeeded(run.last)
    kube.delete("vj", "passing")
    kube.until_gone("jobs", selector="videojobs.dev/name=passing", timeout=60)
    kube.until_gone("pods", selector="videojobs.dev/name=passing", timeout=60)
    assert (run.folder / "manifest.json").is_file()
    assert len(list((run.folder / "frames").glob("*.png"))) == 12

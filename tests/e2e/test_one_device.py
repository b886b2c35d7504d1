"""Many jobs, one device: who waits for it is never failed, however short `startSeconds` is."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.e2e.environment import E2eEnvironment
from tests.e2e.kube import Kube, Manifest, condition, has_succeeded
from tests.e2e.manifests import videojob

GPU = {"limits": {"cpu": "500m", "memory": "512Mi", "example.com/gpu": 1}, "requests": {"cpu": "20m"}}
FEW = pytest.param(5, 5, 20, id="five jobs")
MANY = pytest.param(30, 60, 60, id="thirty jobs of a minute", marks=pytest.mark.soak)


@pytest.mark.parametrize(("count", "seconds", "start_seconds"), [FEW, MANY])
def test_jobs_that_wait_for_the_only_device_all_succeed(
    lab: E2eEnvironment, kube: Kube, node_with_one_gpu: str, count: int, seconds: int, start_seconds: int
) -> None:
    assert node_with_one_gpu == "example.com/gpu"
    names = [f"shares-{count}-{number}" for number in range(count)]
    kube.apply(*(waiting(name, seconds=seconds, start_seconds=start_seconds) for name in names))
    ends = [lab.end_of(name, timeout=count * (seconds + 60)) for name in names]
    assert [has_succeeded(end) for end in ends] == [True] * count, [condition(end, "Succeeded") for end in ends]
    # It proves nothing unless somebody waited longer than startSeconds, which would have failed the job once.
    assert max(map(waited, ends)) > start_seconds + seconds


def waiting(name: str, *, seconds: int, start_seconds: int) -> Manifest:
    """A simulation that takes the device for `seconds`."""
    runner = {"accelerator": "None", "resources": GPU}
    return videojob(name, runner=runner, test={"durationSeconds": seconds}, deadlines={"startSeconds": start_seconds})


def waited(end: Manifest) -> float:
    """Seconds from a job's creation to its end, its own work included."""
    created = datetime.fromisoformat(end["metadata"]["creationTimestamp"])
    return (datetime.fromisoformat(end["status"]["completionTime"]) - created).total_seconds()

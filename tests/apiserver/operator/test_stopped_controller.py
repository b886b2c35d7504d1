"""A Job controller that stands still, or is away, while Jobs wait for it: they go on waiting, and get their pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

import devcluster
from tests.apiserver.operator.burst import create, created, first_pods, verdicts, waited_longer
from tests.apiserver.operator.operator_process import OperatorProcess
from tests.e2e.kube import Kube
from tests.e2e.manifests import videojob

pytestmark = pytest.mark.apiserver
COUNT = 60
LONG = timedelta(seconds=12)
"""Three times the wait that made the lack of a pod a failure for an earlier operator, as this folder sets it up."""


def silent(cluster: devcluster.ApiServer) -> AbstractContextManager[None]:
    """The controller manager stands still for the length of a block."""
    return cluster.daemons.pause("controllers")


@contextmanager
def away(cluster: devcluster.ApiServer) -> Iterator[None]:
    """There is no controller manager for the length of a block; then comes a new one."""
    cluster.daemons.stop("controllers")
    try:
        yield
    finally:
        cluster.start_controllers()


@pytest.mark.parametrize("stopped", [silent, away])
def test_jobs_that_a_stopped_job_controller_has_not_got_to_get_their_pods_later_and_no_verdict(
    stopped: Callable[[devcluster.ApiServer], AbstractContextManager[None]], plant: OperatorProcess, space: str
) -> None:
    kube, names = Kube(plant.cluster.kubectl, space), [f"job-{number}" for number in range(COUNT)]
    create(kube, *map(videojob, names))
    assert len(first_pods(kube, 5, timeout=60)) == 5
    with stopped(plant.cluster):
        plant.wait_until(lambda: verdicts(kube) or all_waited(kube), what=f"{COUNT} Jobs that have waited", seconds=60)
        assert verdicts(kube) == {}
    pods = first_pods(kube, COUNT, timeout=60)
    assert len(waited_longer(LONG, kube, pods)) > COUNT / 4, "too quick to show anything"
    assert sorted(pods) == sorted(names)
    assert verdicts(kube) == {}


def all_waited(kube: Kube) -> bool:
    """Whether every Job is there and has been for long enough."""
    jobs = kube.items("jobs")
    return len(jobs) == COUNT and max(map(created, jobs)) + LONG < datetime.now(UTC)

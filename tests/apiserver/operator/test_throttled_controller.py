"""
A burst of VideoJobs before a slow Job controller: nobody's failure, so every VideoJob gets its pod and none a verdict.

kube-controller-manager's `--kube-api-qps` holds for each controller apart: the Job controller has ten requests a second
for itself. A pod is one, the Job's status another, an event a third. Measured on Kubernetes 1.34.4 by the API server's
audit log: four pods a second with the default of five workers, five with fifty, as the one writer of events then waits
for its turn behind more of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import devcluster
from tests.apiserver.operator.burst import create, first_pods, verdicts, waited_longer
from tests.apiserver.operator.fake_kubelet import FakeKubelet
from tests.apiserver.operator.operator_process import install_chart, run_operator
from tests.e2e.kube import Kube, is_over
from tests.e2e.manifests import videojob

pytestmark = pytest.mark.apiserver
TEN_A_SECOND = ("--kube-api-qps=10", "--kube-api-burst=10", "--concurrent-job-syncs=50")
BURST, BACKLOG = 600, 450
"""VideoJobs, and how many of them have their Jobs before the controller begins: at five pods a second the last third of
the backlog waits for more than a minute, however busy the machine is."""
A_MINUTE = timedelta(seconds=60)
"""For so long a Job could be without a pod before an earlier operator took it for a failure."""
BAD_CONFIG = 64


@pytest.fixture
def throttled() -> Iterator[devcluster.ApiServer]:
    """An API server whose Job controller makes ten requests a second."""
    try:
        with devcluster.api_server(controllers=True, controller_flags=TEN_A_SECOND) as cluster:
            install_chart(cluster)
            cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
            yield cluster
    except devcluster.Unsupported as reason:
        pytest.skip(str(reason))


def test_a_burst_of_600_at_ten_requests_a_second_gets_600_pods_and_only_true_verdicts(
    throttled: devcluster.ApiServer, tmp_path: Path
) -> None:
    kube, names = Kube(throttled.kubectl), [f"job-{number}" for number in range(BURST)]
    ended, kubelet = names[: BURST // 2 : BURST // 10], FakeKubelet(kube)
    with run_operator(throttled, tmp_path / "log", {}) as plant:
        with throttled.daemons.pause("controllers"):  # else a busy machine makes Jobs no faster than it makes pods
            create(kube, *map(videojob, names[:BACKLOG]))
            plant.wait_until(lambda: len(kube.items("jobs")) == BACKLOG, what="the backlog has its Jobs", seconds=180)
        create(kube, *map(videojob, names[BACKLOG:]))
        for name in ended:
            kubelet.ends(kubelet.pod_of(name, timeout=120), code=BAD_CONFIG)
        pods = first_pods(kube, BURST, timeout=180)
        for name in ended:
            kube.until("vj", name, is_over, timeout=60)
        assert verdicts(kube) == dict.fromkeys(ended, "BadConfig")
        assert sorted(pods) == sorted(names)
        assert len(waited_longer(A_MINUTE, kube, pods)) > BURST / 10, "too quick to show anything"
        assert plant.probe("healthz") == (200, "ok")
        assert plant.metric("reconcile_panics_total") == 0

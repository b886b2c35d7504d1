"""An API server that falls silent without closing its connections: no restart, and nothing is missed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

import devcluster
from tests.apiserver.operator.freezable_proxy import FreezableProxy, run_proxy
from tests.apiserver.operator.operator_process import OperatorProcess, run_operator
from tests.e2e.kube import Kube
from tests.e2e.manifests import videojob

pytestmark = pytest.mark.apiserver


@pytest.fixture
def line(cluster: devcluster.ApiServer) -> Iterator[FreezableProxy]:
    """The way to the API server that the operator of this module takes."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    port = urlsplit(config["clusters"][0]["cluster"]["server"]).port
    assert port is not None
    with run_proxy(port) as found:
        yield found


@pytest.fixture
def deaf(cluster: devcluster.ApiServer, line: FreezableProxy, tmp_path: Path) -> Iterator[OperatorProcess]:
    """An operator that notices silence after seconds instead of minutes."""
    quick = {"watch_silence_seconds": "2", "health_watch_seconds": "8"}
    with run_operator(cluster, tmp_path / "log", quick, through=line.port) as operator:
        yield operator


def test_an_api_server_that_is_paused_is_no_reason_to_restart_and_nothing_is_missed(
    deaf: OperatorProcess, line: FreezableProxy, space: str
) -> None:
    kube = Kube(deaf.cluster.kubectl, space)
    failed = failed_watches(deaf)
    line.freeze()
    kube.apply(videojob("unheard"))
    answers = list[tuple[int, str]]()

    def tried_three_times() -> bool:
        answers.append(deaf.probe("healthz"))
        return failed_watches(deaf) >= failed + 3

    # Two seconds of silence each, with pauses of 1, 2 and 4 s before the next: longer than the eight of liveness.
    deaf.wait_until(tried_three_times, what="three tries to watch have failed", seconds=90)
    assert set(answers) == {(200, "ok")}
    line.thaw()
    kube.until("vj", "unheard", lambda vj: "jobName" in vj.get("status", {}), timeout=60)
    assert deaf.probe("healthz") == (200, "ok")


def test_an_idle_cluster_is_no_silence(deaf: OperatorProcess) -> None:
    """Longer than the limit nothing happens, but each new watch is answered."""
    opened = deaf.metric("api_requests_total", verb="WATCH", kind="Job", code="200")
    reopened = 3
    deaf.wait_until(
        lambda: deaf.metric("api_requests_total", verb="WATCH", kind="Job", code="200") >= opened + reopened,
        what="the watch is opened again and again",
        seconds=60,
    )
    assert deaf.probe("healthz") == (200, "ok")


def failed_watches(plant: OperatorProcess) -> float:
    """Calls to watch Jobs that ended without an answer."""
    return plant.metric("api_requests_total", verb="WATCH", kind="Job", code="0")

"""A watch that goes silent without closing: liveness says so, and when the line is back nothing was missed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

import devcluster
from tests.apiserver.operator.plant import Plant, running
from tests.apiserver.operator.relay import Line, relayed
from tests.e2e.kube import Kube
from tests.e2e.manifests import videojob

pytestmark = pytest.mark.apiserver


@pytest.fixture
def line(cluster: devcluster.ApiServer) -> Iterator[Line]:
    """The way to the API server that the operator of this module takes."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    port = urlsplit(config["clusters"][0]["cluster"]["server"]).port
    assert port is not None
    with relayed(port) as found:
        yield found


@pytest.fixture
def deaf(cluster: devcluster.ApiServer, line: Line, tmp_path: Path) -> Iterator[Plant]:
    """An operator that notices silence after seconds instead of minutes."""
    quick = {"watch_silence_seconds": "2", "health_watch_seconds": "5"}
    with running(cluster, tmp_path / "log", quick, through=line.port) as operator:
        yield operator


def test_silence_fails_liveness_and_the_return_of_the_line_heals_it(deaf: Plant, line: Line, space: str) -> None:
    kube = Kube(deaf.cluster.kubectl, space)
    assert deaf.probe("healthz")[0] == 200
    line.freeze()
    kube.apply(videojob("unheard"))
    code, text = deaf.until(lambda: dead(deaf), what="liveness fails", seconds=40)
    assert code == 503
    assert "has been silent for" in text
    assert deaf.probe("readyz")[0] == 200
    line.thaw()
    kube.until("vj", "unheard", lambda vj: "jobName" in vj.get("status", {}), timeout=60)
    deaf.until(lambda: deaf.probe("healthz")[0] == 200, what="liveness heals", seconds=30)


def test_an_idle_cluster_is_no_silence(deaf: Plant) -> None:
    """Longer than the limit nothing happens, but each new watch is answered."""
    opened = deaf.metric("api_requests_total", verb="WATCH", kind="Job", code="200")
    reopened = 3
    deaf.until(
        lambda: deaf.metric("api_requests_total", verb="WATCH", kind="Job", code="200") >= opened + reopened,
        what="the watch is opened again and again",
        seconds=60,
    )
    assert deaf.probe("healthz") == (200, "ok")


def dead(plant: Plant) -> tuple[int, str] | None:
    code, text = plant.probe("healthz")
    return (code, text) if code == 503 else None

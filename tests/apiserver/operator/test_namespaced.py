"""An operator with Roles only: it works in its namespaces, sees no other, and asks for nothing it may not have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import devcluster
from tests.apiserver.operator.operator_process import SYSTEM, OperatorProcess, install_chart, render_chart, run_operator
from tests.e2e.kube import Kube
from tests.e2e.manifests import videojob

pytestmark = pytest.mark.apiserver
NAME = "local-videojob"


@pytest.fixture(scope="module")
def island() -> Iterator[devcluster.ApiServer]:
    """An API server where only the namespaced operator has rights."""
    try:
        with devcluster.api_server() as cluster:
            install_chart(cluster, "--set", "rbac.create=false")
            for namespace in ("art", "night", "abroad"):
                cluster.kubectl("create", "namespace", namespace)
            scope = ("--set", "rbac.scope=namespaces", "--set", "rbac.namespaces={art,night}")
            objects = render_chart(*scope, "--set", "crds.enabled=false", release="local")
            cluster.kubectl.apply(*(each for each in objects if each["kind"] != "Deployment"))
            yield cluster
    except devcluster.Unsupported as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def local(island: devcluster.ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    scope = {"watch_namespaces": "art,night"}
    with run_operator(island, tmp_path_factory.mktemp("local") / "log", scope, name=NAME) as operator:
        yield operator


def test_only_its_own_namespaces_get_jobs(local: OperatorProcess) -> None:
    for namespace in ("abroad", "art", "night"):
        Kube(local.cluster.kubectl, namespace).apply(videojob("sunset"))
    for namespace in ("art", "night"):
        kube = Kube(local.cluster.kubectl, namespace)
        kube.until("vj", "sunset", lambda vj: vj.get("status", {}).get("jobName") == "sunset-1", timeout=30)
    assert local.cluster.kubectl("get", "jobs", "--namespace=abroad", "--ignore-not-found") == ""


def test_it_asks_for_nothing_that_it_may_not_have(local: OperatorProcess) -> None:
    assert 'code="403"' not in local.probe("metrics")[1]
    assert local.probe("healthz") == (200, "ok")


def test_its_certificates_lie_in_its_own_secret(local: OperatorProcess) -> None:
    secret = local.cluster.kubectl.json("get", "secret", f"{NAME}-tls", f"--namespace={SYSTEM}")
    assert set(secret["data"]) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}

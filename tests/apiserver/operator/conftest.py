"""One API server with controllers and one operator for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import devcluster
from tests.apiserver.operator.operator_process import OperatorProcess, install_chart, run_operator


@pytest.fixture(scope="session")
def cluster() -> Iterator[devcluster.ApiServer]:
    """An API server whose controllers run, with the chart's objects on it."""
    try:
        with devcluster.api_server(controllers=True) as found:
            install_chart(found)
            yield found
    except devcluster.Unsupported as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def plant(cluster: devcluster.ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """The operator, ready."""
    waits = {"pod_refused_wait_seconds": "4", "report_wait_seconds": "3"}
    with run_operator(cluster, tmp_path_factory.mktemp("operator") / "log", waits) as operator:
        yield operator


@pytest.fixture
def space(cluster: devcluster.ApiServer) -> Iterator[str]:
    """A namespace whose default service account exists."""
    with cluster.kubectl.namespace() as name:
        cluster.kubectl("-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
        yield name

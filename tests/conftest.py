"""
Fixtures for every level: a real API server and a real node, each once per session.

Where a machine cannot run one, the tests that ask for it are skipped with the reason. `VIDEOJOB_KEEP_CLUSTER=1` keeps
the node after the session, which saves half a minute per run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest

import devcluster

# Two workers on two cores: threads of torch beyond that would spend their time waiting for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no fault of the code: generated tests are bounded by their number, never by seconds.
hypothesis.settings.register_profile("calm", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("calm")


@pytest.fixture(scope="session")
def api_server() -> Iterator[devcluster.ApiServer]:
    """etcd and kube-apiserver for this session, without any of our resources."""
    try:
        with devcluster.api_server() as cluster:
            yield cluster
    except devcluster.Unsupported as reason:
        pytest.skip(str(reason))


@pytest.fixture
def namespace(api_server: devcluster.ApiServer) -> Iterator[str]:
    """A fresh namespace on the session's API server."""
    with api_server.kubectl.namespace() as name:
        yield name


@pytest.fixture(scope="session")
def node() -> Iterator[devcluster.Node]:
    """The node-level cluster, up; stopped after the session unless it was up before or is to be kept."""
    reason = devcluster.unsupported_reason()
    if reason:
        pytest.skip(reason)
    cluster = devcluster.default_node()
    keep = cluster.running or os.environ.get("VIDEOJOB_KEEP_CLUSTER") == "1"
    try:
        cluster.start()
    except (devcluster.Unsupported, devcluster.NodeInUse) as busy:
        pytest.skip(str(busy))
    yield cluster
    if not keep:
        cluster.stop()

"""Fixtures for every level: a real API server, once per session; skipped, with the reason, where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import devcluster


@pytest.fixture(scope="session")
def api_server() -> Iterator[devcluster.ApiServer]:
    """etcd and kube-apiserver for this session, without any of our resources."""
    try:
        with devcluster.api_server() as cluster:
            yield cluster
    except devcluster.NotPossibleHere as reason:
        pytest.skip(str(reason))


@pytest.fixture
def namespace(api_server: devcluster.ApiServer) -> Iterator[str]:
    """A fresh namespace on the session's API server."""
    with api_server.kubectl.namespace() as name:
        yield name

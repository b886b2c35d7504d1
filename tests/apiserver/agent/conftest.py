"""One S3 server for the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster import Unsupported
from tests.apiserver.agent.s3_server import Server, s3_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """versitygw on loopback; the test is skipped with the reason where it cannot run."""
    try:
        with s3_server(tmp_path_factory.mktemp("s3")) as server:
            yield server
    except Unsupported as reason:
        pytest.skip(str(reason))


@pytest.fixture
def bucket(server: Server, request: pytest.FixtureRequest) -> str:
    """A fresh bucket of this test."""
    name = f"test-{abs(hash(request.node.nodeid))}"
    server.bucket(name)
    return name

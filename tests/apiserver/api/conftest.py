"""The real API server with our CustomResourceDefinition, and its judgement of manifests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import devcluster
from tests.apiserver.api.dry_run import DryRunValidator

CRD = Path(__file__).resolve().parents[3] / "crds/videojobs.yaml"


@pytest.fixture(scope="session")
def judge(api_server: devcluster.ApiServer) -> Iterator[DryRunValidator]:
    """Tells what the API server says of manifests, in a namespace of its own."""
    api_server.kubectl("apply", "--server-side", "--filename", str(CRD))
    api_server.kubectl.wait_established("videojobs.videojobs.dev")
    with api_server.kubectl.namespace() as namespace:
        yield DryRunValidator(api_server.kubeconfig, namespace=namespace)

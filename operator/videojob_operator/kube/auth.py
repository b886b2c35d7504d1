"""Connects to the API server: with the service account in a pod, with the kubeconfig elsewhere."""

from __future__ import annotations

import os

from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config


async def connect() -> ApiClient:
    """Create a client with the operator's credentials; in a pod the token is reread when the kubelet renews it."""
    configuration = Configuration()
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        await load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.retries = None
    client = ApiClient(configuration)
    client.user_agent = "videojob-operator"
    return client

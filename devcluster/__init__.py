"""
A real Kubernetes cluster for tests and the demo, made from Go modules and Debian packages.

Two levels. The *API-server level* is etcd and kube-apiserver on loopback ports of their own: no root, two
seconds, as many side by side as one likes. The *node level* adds scheduler, controllers, containerd, kubelet,
service network, DNS, an image registry and an S3 server inside one network namespace: root, one per machine.
Nothing is installed on the machine: what is built or downloaded stays in the cache folder.

    with devcluster.api_server() as cluster:
        cluster.kubectl("get", "namespaces")

    node = devcluster.default_node()
    node.start()
    reference = node.images.build(Path("Dockerfile"), "mine")
"""

from devcluster.cluster.api_server import ApiServer, api_server
from devcluster.cluster.node import Node, default_node, unsupported_reason
from devcluster.errors import BuildFailed, DevclusterError, NodeInUse, StartFailed, Unsupported

__all__ = [
    "ApiServer",
    "BuildFailed",
    "DevclusterError",
    "Node",
    "NodeInUse",
    "StartFailed",
    "Unsupported",
    "api_server",
    "default_node",
    "unsupported_reason",
]

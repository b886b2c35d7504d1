"""
A real Kubernetes cluster for tests and the demo, made from Go modules and Debian packages.

Two levels. The *API-server level* is etcd and kube-apiserver on loopback ports of their own: no root, two
seconds, as many side by side as one likes. The *node level* adds scheduler, controllers, containerd, kubelet,
service network, DNS, an image registry and an S3 server inside one network namespace: root, one per machine.
Nothing is installed on the machine: what is built or downloaded stays in the cache folder.

    with devcluster.api_server() as cluster:
        cluster.kubectl("get", "namespaces")

    node = devcluster.the_node()
    node.up()
    reference = node.images.build(Path("Dockerfile"), "mine")
"""

from devcluster.cluster.api_server import ApiServer, api_server
from devcluster.cluster.node import Node, reason_not_here, the_node
from devcluster.errors import BuildFailed, Busy, DevclusterError, NotPossibleHere, StartFailed

__all__ = [
    "ApiServer",
    "BuildFailed",
    "Busy",
    "DevclusterError",
    "Node",
    "NotPossibleHere",
    "StartFailed",
    "api_server",
    "reason_not_here",
    "the_node",
]

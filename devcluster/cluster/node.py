"""
The node level: a whole cluster in one network namespace of this machine.

Everything starts at once and waits for what it needs by itself: etcd, API server, registry and container runtime
first, then, when the API server answers, controllers, scheduler, kubelet, service network and DNS; the S3 server last.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from devcluster import paths
from devcluster.build import debian
from devcluster.build.go_build import binary_path, missing_commands
from devcluster.cluster import teardown
from devcluster.cluster.control_plane import ControlPlane
from devcluster.cluster.images import ImageBuilder
from devcluster.cluster.kubectl import Kubectl
from devcluster.cluster.network_namespace import (
    API_PORT,
    CLUSTER_RANGE,
    ETCD_PEER_PORT,
    ETCD_PORT,
    NODE_IP,
    S3_PORT,
    NetworkNamespace,
)
from devcluster.cluster.node_daemons import NODE_NAME, NodeDaemons
from devcluster.cluster.registry import REGISTRY_ENVIRONMENT, ImageRegistry
from devcluster.cluster.s3 import S3Server
from devcluster.errors import Unsupported
from devcluster.host.daemons import Daemons
from devcluster.host.file_lock import exclusive_lock
from devcluster.host.machine_lock import MACHINE_LOCK, MachineLock
from devcluster.host.port_forward import forward_command
from devcluster.host.ports import free_ports
from devcluster.host.progress import timed_step
from devcluster.host.wait import wait_until
from devcluster.versions import ComponentGroup

DEFAULT_EXTENDED_RESOURCES = {"example.com/gpu": 1}
CLUSTER_GROUPS = frozenset({ComponentGroup.API, ComponentGroup.NODE})
"""What a node without the S3 server is made of."""
MAX_SOCKET_PATH = 107
START_LOCK = MACHINE_LOCK.with_suffix(".starting")


def unsupported_reason() -> str | None:
    """Why this machine cannot run the node level; None when it can. Says nothing of what is not built yet."""
    if platform.system() != "Linux":
        return f"the node level needs Linux, this is {platform.system()}"
    if os.geteuid() != 0:
        return "the node level needs root (network namespace, containers)"
    return None


def require_node_level() -> None:
    """Raises Unsupported, with the reason, where this machine cannot run the node level."""
    reason = unsupported_reason()
    if reason:
        raise Unsupported(reason)


@dataclass(frozen=True)
class Node:
    """The node-level cluster whose state is in `folder`."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig for programs of the machine, through a door on its loopback."""
        return self.folder / "admin.kubeconfig"

    @property
    def kubectl(self) -> Kubectl:
        """kubectl against this cluster, from anywhere on the machine."""
        return Kubectl(self.kubeconfig)

    @property
    def network(self) -> NetworkNamespace:
        """The cluster's network namespace."""
        return NetworkNamespace(self.folder / "netns")

    @property
    def daemons(self) -> Daemons:
        """The cluster's processes."""
        return Daemons(self.folder, self.network.prefix)

    @property
    def registry(self) -> ImageRegistry:
        """The registry the node pulls from."""
        return ImageRegistry(self.folder / "registry.yaml")

    @property
    def images(self) -> ImageBuilder:
        """Building images for this node."""
        return ImageBuilder(self.network, self.registry)

    @property
    def s3(self) -> S3Server:
        """The S3 server."""
        return S3Server(self.folder / "s3", self.network, self._ports["s3"])

    @property
    def runtime(self) -> NodeDaemons:
        """The daemons that make it a node."""
        return NodeDaemons(self.folder, self._plane)

    @property
    def running(self) -> bool:
        """Whether the cluster's two ends, API server and kubelet, live."""
        return all(self.daemons.running(name) for name in ("apiserver", "kubelet"))

    def start(self, *, extended: Mapping[str, int] = DEFAULT_EXTENDED_RESOURCES, has_s3: bool = True) -> None:
        """
        Starts the cluster, again on its old data if there is any, and waits until pods can run. Running: no effect.

        `extended` are made-up devices of the node, name to count; without `has_s3` there is no S3 server, which then
        need not be built. Raises NodeInUse when the machine has another node.
        """
        self._check(CLUSTER_GROUPS | {ComponentGroup.TESTS} if has_s3 else CLUSTER_GROUPS)
        with exclusive_lock(START_LOCK):  # a claim counts from the first living daemon on: until then this does
            MachineLock().claim(self.folder)
            if not self.running:
                self._start(extended)
            if has_s3 and not self.daemons.running("s3"):
                self._start_s3()

    def _start(self, extended: Mapping[str, int]) -> None:
        self.stop()
        MachineLock().claim(self.folder)
        with timed_step("network namespace, etcd, API server, registry and containerd started"):
            self._start_foundations()
        self.images.ensure_base_images()
        with timed_step("API server ready"):
            self._plane.wait_ready(port=self._ports["api"])
        with timed_step("controllers, scheduler, kubelet, service network and DNS started"):
            self._start_node()
        with timed_step("node ready"):
            self._wait_until_ready()
            self.set_extended_resources(extended)

    def stop(self) -> None:
        """Stops the cluster and keeps its data: no process, namespace, mount or cgroup is left."""
        teardown.stop_node(self.folder, kubectl=self.kubectl, ctr=self.runtime.ctr)
        MachineLock().release(self.folder)

    def purge(self) -> None:
        """Stops the cluster and removes its data; the images of the registry stay in the cache folder."""
        self.stop()
        teardown.remove_state(self.folder)

    def create_kubeconfig(self, user: str, *groups: str) -> Path:
        """A kubeconfig that acts as `user`; `system:serviceaccount:NAMESPACE:NAME` has that account's rights."""
        return self._plane.create_kubeconfig(
            user.replace(":", "-"), user=user, groups=groups, server=self._server_on_host
        )

    def set_extended_resources(self, resources: Mapping[str, int]) -> None:
        """Makes the node offer made-up devices, and waits until the scheduler may give them out."""
        patch = [
            {"op": "add", "path": f"/status/capacity/{name.replace('/', '~1')}", "value": str(count)}
            for name, count in resources.items()
        ]
        if patch:
            self.kubectl("patch", "node", NODE_NAME, "--subresource=status", "--type=json", "-p", json.dumps(patch))
            wait_until("the simulated devices", partial(self._offers, resources), seconds=30)

    @cached_property
    def _ports(self) -> dict[str, int]:
        # Kept, so that a kubeconfig somebody holds is good after a restart as well.
        file = self.folder / "ports.json"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(dict(zip(("api", "s3"), free_ports(2), strict=True))))
        return dict(json.loads(file.read_text()))

    @property
    def _server_on_host(self) -> str:
        return f"https://127.0.0.1:{self._ports['api']}"

    @property
    def _plane(self) -> ControlPlane:
        pki = self.folder / "pki"
        return ControlPlane(
            folder=self.folder,
            daemons=self.daemons,
            api_port=API_PORT,
            etcd_port=ETCD_PORT,
            etcd_peer_port=ETCD_PEER_PORT,
            bind="0.0.0.0",  # noqa: S104 - inside the namespace, where pods must reach it
            hosts=(NODE_IP,),
            api_flags=(
                f"--advertise-address={NODE_IP}",
                f"--kubelet-client-certificate={pki / 'to-kubelet.crt'}",
                f"--kubelet-client-key={pki / 'to-kubelet.key'}",
                f"--kubelet-certificate-authority={pki / 'ca.crt'}",
                # Without this `kubectl logs` looks up the node's name, which no resolver knows.
                "--kubelet-preferred-address-types=InternalIP",
            ),
        )

    def _start_s3(self) -> None:
        self.daemons.start("s3", self.s3.command(), environment=self.s3.environment)
        wait_until("the S3 server", self.s3.is_ready, seconds=20, explain=partial(self.daemons.log_tail, "s3"))

    def _check(self, groups: Collection[ComponentGroup]) -> None:
        require_node_level()
        if missing_commands(groups):
            raise Unsupported("not everything is built: run `python -m devcluster build --level node`")
        socket = self.folder / "kubelet" / "pod-resources" / "kubelet.sock"
        if len(str(socket)) > MAX_SOCKET_PATH:
            raise Unsupported(f"{socket} is too long for a socket path; set VIDEOJOB_CACHE to a shorter path")
        debian.install_packages()

    def _start_foundations(self) -> None:
        teardown.record_external_folders(self.folder)
        self.network.create()
        plane = self._plane
        plane.authority.create()
        plane.authority.issue("to-kubelet", user="kube-apiserver", groups=["system:masters"])
        doors = {self._ports["api"]: f"127.0.0.1:{API_PORT}", self._ports["s3"]: f"{NODE_IP}:{S3_PORT}"}
        Daemons(self.folder).start("door", forward_command(self.network.file, doors))
        plane.start()
        plane.create_kubeconfig("admin", user="admin", groups=["system:masters"], server=self._server_on_host)
        self.registry.collect_garbage()
        self.daemons.start("registry", self.registry.command(), environment=REGISTRY_ENVIRONMENT)
        self.daemons.start("containerd", self.runtime.containerd(), environment=self._environment)

    def _start_node(self) -> None:
        self._plane.start_controllers("--allocate-node-cidrs=true", f"--cluster-cidr={CLUSTER_RANGE}")
        self._plane.start_scheduler()
        for name in ("kubelet", "proxy", "dns"):
            self.daemons.start(name, getattr(self.runtime, name)(), environment=self._environment)

    @property
    def _environment(self) -> dict[str, str]:
        # containerd looks for its shim on the PATH, kubelet and proxy for mount, nft and conntrack.
        return {"PATH": f"{binary_path('containerd').parent}:{debian.search_path()}"}

    def _wait_until_ready(self) -> None:
        wait_until("a ready node", self._is_ready, seconds=90, explain=partial(self.daemons.log_tail, "kubelet"))

    def _is_ready(self) -> bool:
        for name in self.daemons.names():
            self.daemons.check_running(name)
        path = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
        return self.kubectl("get", "nodes", "-o", f"jsonpath={path}") == "True"

    def _offers(self, resources: Mapping[str, int]) -> bool:
        offered = self.kubectl.json("get", "node", NODE_NAME)["status"]["allocatable"]
        return all(offered.get(name) == str(count) for name, count in resources.items())


def default_node() -> Node:
    """The node-level cluster of the cache folder, running or not."""
    return Node(paths.clusters_folder() / "node")

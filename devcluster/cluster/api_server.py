"""
The API-server level: etcd and kube-apiserver on loopback ports of their own, without root.

A cluster with a name stays until it is stopped. One from `api_server()` belongs to the process that made it: it goes
with the block, and should that process be killed, the next one to start a cluster finds its lock free and clears up.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from devcluster import paths
from devcluster.build.go_build import binary_path
from devcluster.cluster.control_plane import ControlPlane
from devcluster.cluster.kubectl import Kubectl
from devcluster.errors import Unsupported
from devcluster.host.daemons import Daemons
from devcluster.host.ports import free_ports

EPHEMERAL_PREFIX = "passing-"
"""How the names of clusters begin that belong to one process."""


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A control plane without nodes, kept in `folder`."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "admin.kubeconfig"

    @property
    def kubectl(self) -> Kubectl:
        """kubectl against this cluster: `cluster.kubectl("get", "pods")` returns what it prints."""
        return Kubectl(self.kubeconfig)

    @property
    def daemons(self) -> Daemons:
        """The processes of this cluster."""
        return Daemons(self.folder)

    @property
    def running(self) -> bool:
        """Whether etcd and the API server live."""
        return all(self.daemons.running(name) for name in ("etcd", "apiserver"))

    def create_kubeconfig(self, user: str, *groups: str) -> Path:
        """A kubeconfig that acts as `user`; `system:serviceaccount:NAMESPACE:NAME` has that account's rights."""
        name = user.replace(":", "-")
        return self._plane().create_kubeconfig(name, user=user, groups=groups)

    def start(self, *, controllers: bool = False, controller_flags: Sequence[str] = ()) -> None:
        """Starts the cluster, again on its old data if there is any, and waits until it answers."""
        for name in ("etcd", "kube-apiserver", "kubectl", *(["kube-controller-manager"] if controllers else [])):
            binary_path(name)
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "ports.json").write_text(json.dumps(free_ports(3)))
        plane = self._plane()
        plane.start()
        plane.wait_ready(port=plane.api_port)
        plane.create_kubeconfig("admin", user="admin", groups=["system:masters"])
        if controllers:
            self.start_controllers(*controller_flags)

    def start_controllers(self, *flags: str) -> None:
        """Starts the controller manager on the running cluster; it ends with `daemons.stop("controllers")`."""
        self._plane().start_controllers(*flags)

    def stop(self, *, patience: float = 20.0) -> None:
        """Stops every process of this cluster and keeps its data."""
        for name in ("controllers", "apiserver", "etcd"):
            self.daemons.stop(name, timeout=patience)

    def purge(self) -> None:
        """Stops the cluster and removes its data."""
        self.stop(patience=0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _plane(self) -> ControlPlane:
        api, etcd, peer = json.loads((self.folder / "ports.json").read_text())
        return ControlPlane(
            folder=self.folder,
            daemons=self.daemons,
            api_port=api,
            etcd_port=etcd,
            etcd_peer_port=peer,
            # A loopback address may not be published as the endpoint of the `kubernetes` service.
            api_flags=("--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"),
        )


def named_api_server(name: str) -> ApiServer:
    """The API-server level cluster called `name`, running or not."""
    if not name.replace("-", "").isalnum():
        raise Unsupported(f"a cluster name may contain letters, digits and '-', not {name!r}")
    return ApiServer(paths.clusters_folder() / f"api-{name}")


@contextmanager
def api_server(*, controllers: bool = False, controller_flags: Sequence[str] = ()) -> Iterator[ApiServer]:
    """A new, empty cluster for the length of a `with` block; the flags are more ones for kube-controller-manager."""
    remove_orphans()
    cluster = ApiServer(paths.clusters_folder() / f"{EPHEMERAL_PREFIX}{secrets.token_hex(4)}")
    cluster.folder.mkdir()
    with _owner_file(cluster.folder).open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        try:
            cluster.start(controllers=controllers, controller_flags=controller_flags)
            yield cluster
        finally:
            cluster.purge()


def remove_orphans() -> None:
    """Removes the clusters of processes that were killed before they could do it."""
    for folder in paths.clusters_folder().glob(f"{EPHEMERAL_PREFIX}*"):
        # Gone meanwhile, not locked yet, or its owner lives: all mean that it is not ours to remove.
        with suppress(OSError), _owner_file(folder).open() as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ApiServer(folder).purge()


def _owner_file(folder: Path) -> Path:
    return folder / "owner.lock"

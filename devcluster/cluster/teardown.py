"""
Taking a node down so that nothing is left on the machine.

The order matters. Scheduler and controllers end first, so that nothing is made anew. The kubelet then takes its pods
down itself, which frees their networks and volumes; what it leaves after a while is killed through containerd. Only
then do the rest of the daemons end, and what they leave behind (mounts, pods' network namespaces, empty cgroups) goes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from devcluster.cluster.kubectl import Kubectl, KubectlError
from devcluster.cluster.node_daemons import NODE_NAME
from devcluster.errors import DevclusterError, StartFailed
from devcluster.host.daemons import Daemons
from devcluster.host.machine_lock import MachineLock
from devcluster.host.mounts import mounts_below, unmount_below
from devcluster.host.wait import wait_until

EXTERNAL_FOLDERS = (
    *("/run/containerd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods"),
    *("/var/lib/cni", "/etc/cni", "/opt/cni", "/run/nri"),
)
"""Fixed paths of kubelet and containerd that no setting moves."""

Ctr = Callable[[], Sequence[str | Path]]

CGROUP_ROOT = Path("/sys/fs/cgroup")
POD_TIMEOUT_SECONDS = 25.0
_ON_THE_NODE = ("--all-namespaces", f"--field-selector=spec.nodeName={NODE_NAME}")
_AFTER_PODS = ("kubelet", "proxy", "dns")
_LAST = ("containerd", "s3", "registry", "apiserver", "etcd", "door")


def stop_node(folder: Path, *, kubectl: Kubectl, ctr: Ctr) -> None:
    """
    Stops everything of the node in `folder`; what is not there is passed over, so a half-started cluster goes as well.

    `ctr` gives the command for containerd's own client, which may not be built yet.
    """
    daemons = Daemons(folder)
    for name in ("scheduler", "controllers"):
        daemons.stop(name)
    if all(daemons.running(name) for name in ("containerd", "kubelet", "apiserver")):
        delete_pods(kubectl, ctr)
    for name in _AFTER_PODS:
        daemons.stop(name)
    if daemons.running("containerd"):
        kill_containers(ctr)
    for name in (*_LAST, *daemons.names()):
        daemons.stop(name)
    unmount_below(folder)
    for passing in ("addresses", "containerd/state"):
        shutil.rmtree(folder / passing, ignore_errors=True)
    if MachineLock().is_free_for(folder):
        remove_pod_cgroups(CGROUP_ROOT)
        remove_external_folders(folder)


def delete_pods(kubectl: Kubectl, ctr: Ctr) -> None:
    """Has the kubelet end the node's pods, and waits for that; slow ones are left to `kill_containers`."""
    with suppress(KubectlError, StartFailed):
        kubectl("delete", "pods", *_ON_THE_NODE, "--grace-period=1", "--wait=false")
        wait_until("the end of all pods", partial(_no_pods, kubectl, ctr), seconds=POD_TIMEOUT_SECONDS)


def kill_containers(ctr: Ctr) -> None:
    """Kills and removes every container that is left."""
    for task in _listed(ctr, "tasks", "ls", "-q"):
        _run(ctr, "tasks", "kill", "--signal=KILL", task)
        _run(ctr, "tasks", "delete", "--force", task)
    for container in _listed(ctr, "containers", "ls", "-q"):
        _run(ctr, "containers", "delete", container)


def remove_pod_cgroups(root: Path) -> None:
    """Removes the cgroups of pods from every hierarchy below `root`; one with a living process stays."""
    for top in [root / "kubepods", *root.glob("*/kubepods")]:
        for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            _remove_cgroup(folder)
        _remove_cgroup(top)


def record_external_folders(folder: Path, *, among: Sequence[str] = EXTERNAL_FOLDERS) -> None:
    """Writes down which of the folders that kubelet and containerd use outside the state folder are not there yet."""
    file = folder / "strays.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([path for path in among if not Path(path).exists()]))


def remove_external_folders(folder: Path) -> None:
    """Removes those folders that were not there before this cluster."""
    file = folder / "strays.json"
    if file.exists():
        for path in json.loads(file.read_text()):
            shutil.rmtree(path, ignore_errors=True)
        file.unlink()


def remove_state(folder: Path) -> None:
    """Removes a cluster's state folder; raises DevclusterError rather than follow a mount that is still there."""
    left = mounts_below(folder)
    if left:
        raise DevclusterError(f"{left[0]} is still mounted, so {folder} is not removed: `python -m devcluster down`")
    if folder.exists():
        shutil.rmtree(folder)


def _remove_cgroup(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _no_pods(kubectl: Kubectl, ctr: Ctr) -> bool:
    if _listed(ctr, "tasks", "ls", "-q"):
        return False
    pods = kubectl.json("get", "pods", *_ON_THE_NODE)["items"]
    # A finalizer is taken away by a controller, which has ended; such a pod has released everything.
    return all(pod["metadata"].get("finalizers") for pod in pods)


def _listed(ctr: Ctr, *arguments: str) -> list[str]:
    return _run(ctr, *arguments).split()


def _run(ctr: Ctr, *arguments: str) -> str:
    return subprocess.run([*ctr(), *arguments], capture_output=True, text=True, check=False).stdout

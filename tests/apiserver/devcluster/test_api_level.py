"""The API-server level: it answers, stands beside others, keeps its data over a stop, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import devcluster
from devcluster import ApiServer, Unsupported
from devcluster.cluster import api_server as apilevel
from devcluster.cluster.kubectl import Kubectl, KubectlError
from devcluster.versions import KUBERNETES_VERSION

pytestmark = pytest.mark.apiserver


@pytest.fixture
def own() -> Iterator[ApiServer]:
    """A named cluster of this test alone, not started yet."""
    cluster = apilevel.named_api_server(f"own-{os.getpid()}")
    try:
        yield cluster
    finally:
        cluster.purge()


def processes_that_mention(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_the_server_says_the_version_of_the_table(api_server: ApiServer) -> None:
    assert api_server.kubectl.json("version")["serverVersion"]["gitVersion"] == KUBERNETES_VERSION


def test_a_namespace_of_a_test_is_fresh(api_server: ApiServer, namespace: str) -> None:
    assert api_server.kubectl.json("get", "configmaps", "-n", namespace)["items"] == []


def test_what_is_applied_can_be_read_back(api_server: ApiServer, namespace: str) -> None:
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "greeting"}, "data": {"word": "hello"}}
    api_server.kubectl.apply(wanted, namespace=namespace)
    assert api_server.kubectl.json("get", "configmap", "greeting", "-n", namespace)["data"] == {"word": "hello"}


def test_an_invalid_object_is_refused_with_the_field(api_server: ApiServer, namespace: str) -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 70000}]}}
    with pytest.raises(KubectlError, match=r"spec\.ports\[0\]\.port"):
        api_server.kubectl.apply(wrong, namespace=namespace)


def test_a_login_has_the_rights_of_its_account_and_no_more(api_server: ApiServer, namespace: str) -> None:
    kubeconfig = api_server.create_kubeconfig(f"system:serviceaccount:{namespace}:nobody", "system:serviceaccounts")
    as_nobody = Kubectl(kubeconfig)
    with pytest.raises(KubectlError, match="cannot list resource"):
        as_nobody("get", "secrets", "-n", namespace)


def test_two_clusters_stand_side_by_side_and_know_nothing_of_each_other(api_server: ApiServer) -> None:
    with devcluster.api_server() as second, second.kubectl.namespace("only-here") as name:
        assert second.kubeconfig != api_server.kubeconfig
        with pytest.raises(KubectlError, match="not found"):
            api_server.kubectl("get", "namespace", name)


def test_a_cluster_is_gone_with_its_block(api_server: ApiServer) -> None:
    with devcluster.api_server() as passing:
        assert processes_that_mention(passing.folder)
    assert processes_that_mention(passing.folder) == []
    assert not passing.folder.exists()
    assert api_server.running


def test_what_was_written_is_there_after_a_stop_and_a_start(own: ApiServer) -> None:
    own.start()
    own.kubectl("create", "namespace", "kept")
    own.stop()
    assert processes_that_mention(own.folder) == []
    own.start()
    assert own.kubectl("get", "namespace", "kept", "-o", "name") == "namespace/kept\n"


def test_the_controller_manager_comes_on_demand(own: ApiServer) -> None:
    own.start(controllers=True)
    own.kubectl("wait", "--for=create", "serviceaccount/default", "-n", "default", "--timeout=30s")


def test_the_controller_manager_takes_flags_of_its_own_and_comes_back_after_a_stop(own: ApiServer) -> None:
    own.start(controllers=True, controller_flags=["--kube-api-qps=10"])
    assert "--kube-api-qps=10" in command_of(own, "controllers")
    own.daemons.stop("controllers")
    own.start_controllers("--kube-api-qps=20")
    assert "--kube-api-qps=20" in command_of(own, "controllers")


def command_of(cluster: ApiServer, daemon: str) -> list[str]:
    """With what a daemon was started."""
    return Path(f"/proc/{cluster.daemons.pid(daemon)}/cmdline").read_text().split("\0")


def test_a_cluster_whose_owner_was_killed_is_swept_away_by_the_next(api_server: ApiServer) -> None:
    program = (
        "import devcluster, signal\nwith devcluster.api_server() as c: print(c.folder, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        orphan = Path(owner.stdout.readline().strip())
        apilevel.remove_orphans()
        assert processes_that_mention(orphan), "a cluster with a living owner must stay"
        owner.send_signal(signal.SIGKILL)
    apilevel.remove_orphans()
    assert processes_that_mention(orphan) == []
    assert not orphan.exists()
    assert api_server.running, "the sweep must leave the session's own cluster alone"


def test_a_name_that_would_leave_the_folder_is_refused() -> None:
    with pytest.raises(Unsupported, match=r"'\.\./x'"):
        apilevel.named_api_server("../x")

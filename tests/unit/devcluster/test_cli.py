"""The command line: which cluster is meant, what goes to stdout, and errors in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devcluster import cli
from devcluster.cluster.kubectl import Kubectl, KubectlError
from devcluster.host.daemons import Daemons
from devcluster.versions import KUBERNETES_VERSION
from tests.unit.devcluster.conftest import recorder


def test_a_name_means_an_api_server_and_no_name_the_node(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clusters = built / "clusters"
    assert cli.main(["env", "--name", "mine"]) == 0
    assert f"KUBECONFIG={clusters / 'api-mine' / 'admin.kubeconfig'}" in capsys.readouterr().out
    assert cli.main(["env"]) == 0
    assert f"KUBECONFIG={clusters / 'node' / 'admin.kubeconfig'}" in capsys.readouterr().out
    assert cli.main(["env", "--level", "api"]) == 0
    assert f"KUBECONFIG={clusters / 'api-default' / 'admin.kubeconfig'}" in capsys.readouterr().out


def test_env_puts_our_kubectl_first(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["env"])
    assert f"export PATH={built / 'bin' / f'kubernetes-{KUBERNETES_VERSION}'}:$PATH" in capsys.readouterr().out


def test_an_error_is_one_line_without_a_traceback(empty_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["env", "--name", "mine"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("devcluster: kubectl ") and told.err.count("\n") == 1
    assert "python -m devcluster build" in told.err


@pytest.mark.parametrize("arguments", [[], ["dance"], ["up", "--level", "moon"]])
def test_a_command_that_is_none_ends_with_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m devcluster" in capsys.readouterr().err


def test_status_says_of_each_cluster_whether_it_runs(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    daemons = Daemons(built / "clusters" / "api-alive")
    for name in ("etcd", "apiserver"):
        daemons.start(name, ["sleep", "1000"])
    (built / "clusters" / "api-dead").mkdir()
    try:
        cli.main(["status"])
    finally:
        for name in daemons.names():
            daemons.stop(name, timeout=0)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["api-alive", "running"], ["api-dead", "stopped"]]


def test_purge_by_name_leaves_the_others(built: Path) -> None:
    for name in ("api-mine", "api-yours"):
        (built / "clusters" / name).mkdir(parents=True)
    assert cli.main(["purge", "--name", "mine"]) == 0
    assert [path.name for path in (built / "clusters").iterdir()] == ["api-yours"]


def test_purge_of_everything_leaves_no_cluster(built: Path) -> None:
    for name in ("api-mine", "api-yours"):
        (built / "clusters" / name).mkdir(parents=True)
    assert cli.main(["purge"]) == 0
    assert list((built / "clusters").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="asks what happens without root")
def test_the_node_level_without_root_is_refused_before_anything_is_built(
    empty_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["up", "--level", "node"]) == 1
    assert "needs root" in capsys.readouterr().err


def test_kubectl_is_called_with_the_clusters_kubeconfig(built: Path) -> None:
    calls = recorder(built / "bin" / f"kubernetes-{KUBERNETES_VERSION}" / "kubectl", says='{"items": []}')
    assert Kubectl(Path("/k")).json("get", "pods") == {"items": []}
    assert calls()[0]["argv"] == ["--kubeconfig=/k", "get", "pods", "-o", "json"]


def test_a_namespace_of_a_block_is_deleted_even_when_the_block_fails(built: Path) -> None:
    calls = recorder(built / "bin" / f"kubernetes-{KUBERNETES_VERSION}" / "kubectl")
    with pytest.raises(ZeroDivisionError), Kubectl(Path("/k")).namespace("art") as name:
        raise ZeroDivisionError
    assert name.startswith("art-")
    verbs = [call["argv"][1:4] for call in calls()]
    assert verbs == [["create", "namespace", name], ["delete", "namespace", name]]


def test_what_kubectl_complains_about_is_the_error(built: Path) -> None:
    kubectl = built / "bin" / f"kubernetes-{KUBERNETES_VERSION}" / "kubectl"
    kubectl.write_text("#!/bin/sh\necho 'the server is on fire' >&2\nexit 1\n")
    with pytest.raises(KubectlError, match=r"kubectl get pods: the server is on fire"):
        Kubectl(Path("/k"))("get", "pods")

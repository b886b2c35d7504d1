"""What the node's daemons are told: everything below the state folder, and what this machine needs."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.cluster.node import Node, default_node
from devcluster.cluster.node_daemons import NODE_NAME, PAUSE_IMAGE


@pytest.fixture
def node(built: Path, on_path: Path) -> Node:
    for program in ("runc", "nsenter"):
        (on_path / program).touch(mode=0o755)
    made = default_node()
    made.folder.mkdir(parents=True)
    made.runtime.control_plane.authority.create()
    return made


def option(command: list[str | Path], name: str) -> str:
    (value,) = [str(part).partition("=")[2] for part in command if str(part).startswith(f"--{name}=")]
    return value


def containerd(node: Node) -> dict[str, Any]:
    return tomllib.loads(Path(option(node.runtime.containerd(), "config")).read_text())


def test_containerd_keeps_everything_below_the_state_folder(node: Node) -> None:
    config = containerd(node)
    for path in (config["root"], config["state"], config["grpc"]["address"]):
        assert Path(path).is_relative_to(node.folder)


def test_containerd_uses_our_runc_our_plugins_and_our_pause_image(node: Node, on_path: Path, built: Path) -> None:
    plugins = containerd(node)["plugins"]
    runtime = plugins["io.containerd.cri.v1.runtime"]
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["BinaryName"] == str(on_path / "runc")
    assert [Path(folder).parent for folder in runtime["cni"]["bin_dirs"]] == [built / "bin"]
    assert plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == PAUSE_IMAGE


def test_pods_start_where_the_kernel_lets_nobody_raise_a_score(node: Node) -> None:
    assert containerd(node)["plugins"]["io.containerd.cri.v1.runtime"]["restrict_oom_score_adj"] is True


def test_pods_get_their_addresses_from_a_range_kept_with_the_state(node: Node) -> None:
    node.runtime.containerd()
    bridge, ports = json.loads((node.folder / "cni" / "10-bridge.conflist").read_text())["plugins"]
    assert Path(bridge["ipam"]["dataDir"]).is_relative_to(node.folder)
    assert bridge["ipMasqBackend"] == ports["backend"] == "nftables"


def test_the_kubelet_works_with_either_version_of_cgroups_and_with_swap(node: Node) -> None:
    config = yaml.safe_load(Path(option(node.runtime.kubelet(), "config")).read_text())
    assert config["failCgroupV1"] is False
    assert config["failSwapOn"] is False
    assert config["cgroupDriver"] == "cgroupfs"


def test_the_kubelet_keeps_everything_below_the_state_folder(node: Node) -> None:
    command = node.runtime.kubelet()
    config = yaml.safe_load(Path(option(command, "config")).read_text())
    paths = [option(command, "root-dir"), option(command, "cert-dir"), option(command, "kubeconfig")]
    paths += [config[key] for key in ("resolvConf", "podLogsDir", "volumePluginDir", "tlsCertFile")]
    assert all(Path(path).is_relative_to(node.folder) for path in paths)
    assert config["containerRuntimeEndpoint"] == f"unix://{containerd(node)['grpc']['address']}"


def test_nobody_may_ask_the_kubelet_without_a_name(node: Node) -> None:
    config = yaml.safe_load(Path(option(node.runtime.kubelet(), "config")).read_text())
    assert config["authentication"]["anonymous"]["enabled"] is False
    assert config["authorization"]["mode"] == "Webhook"


def test_the_node_is_called_alike_by_kubelet_and_proxy(node: Node) -> None:
    proxy = yaml.safe_load(Path(option(node.runtime.proxy(), "config")).read_text())
    assert proxy["hostnameOverride"] == option(node.runtime.kubelet(), "hostname-override") == NODE_NAME


def test_the_proxy_leaves_the_machines_connection_table_alone(node: Node) -> None:
    proxy = yaml.safe_load(Path(option(node.runtime.proxy(), "config")).read_text())
    assert proxy["conntrack"] == {"maxPerCore": 0, "min": 0}
    assert proxy["mode"] == "nftables"


def test_dns_answers_at_the_address_that_pods_are_told(node: Node) -> None:
    node.runtime.dns()
    corefile = (node.folder / "Corefile").read_text()
    config = yaml.safe_load(Path(option(node.runtime.kubelet(), "config")).read_text())
    assert [f"bind {address}" for address in config["clusterDNS"]] == [
        line.strip() for line in corefile.splitlines() if "bind" in line
    ]


def test_the_inside_uses_the_usual_port_and_the_outside_a_free_one(node: Node) -> None:
    inside = yaml.safe_load(Path(option(node.runtime.kubelet(), "kubeconfig")).read_text())
    outside = yaml.safe_load(node.create_kubeconfig("alice", "painters").read_text())
    assert inside["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    server = outside["clusters"][0]["cluster"]["server"]
    assert server.startswith("https://127.0.0.1:") and not server.endswith(":6443")


def test_the_door_stays_where_it_is_over_a_restart(node: Node) -> None:
    assert default_node().s3.endpoint_on_host == node.s3.endpoint_on_host

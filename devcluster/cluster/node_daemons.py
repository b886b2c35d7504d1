"""
The node itself: containerd, kubelet, kube-proxy and DNS, with every path below the cluster's state folder.

Each function returns the command of one daemon and writes the configuration file it reads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from devcluster.build.debian import program_path
from devcluster.build.go_build import binary_path
from devcluster.cluster.control_plane import ControlPlane
from devcluster.cluster.network_namespace import CLUSTER_RANGE, NODE_IP, POD_RANGE, REGISTRY_ADDRESS
from devcluster.host.mounts import containerd_snapshotter

NODE_NAME = "devcluster"
PAUSE_IMAGE = f"{REGISTRY_ADDRESS}/pause:devcluster"
BRIDGE = "cni0"

Command = list[str | Path]


@dataclass(frozen=True, slots=True)
class NodeDaemons:
    """The daemons of one node, whose state is in `folder`."""

    folder: Path
    control_plane: ControlPlane

    @property
    def socket(self) -> Path:
        """Path of containerd's socket."""
        return self.folder / "containerd.sock"

    def containerd(self) -> Command:
        """The container runtime, with its plugins' configuration beside it."""
        _write_json(self.folder / "cni" / "10-bridge.conflist", _bridge(self.folder))
        root = self.folder / "containerd"
        config = self.folder / "containerd.toml"
        config.write_text(
            CONTAINERD.format(
                folder=self.folder,
                root=root,
                socket=self.socket,
                snapshotter=containerd_snapshotter(self.folder),
                pause=PAUSE_IMAGE,
                plugins=binary_path("bridge").parent,
                runc=program_path("runc"),
            )
        )
        return [binary_path("containerd"), f"--config={config}"]

    def kubelet(self) -> Command:
        """The node agent; its identity and its serving certificate carry the node's name."""
        serving = self.control_plane.authority.issue("node", user=NODE_NAME, hosts=[NODE_NAME, NODE_IP, "127.0.0.1"])
        login = self.control_plane.create_kubeconfig(
            "kubelet", user=f"system:node:{NODE_NAME}", groups=["system:nodes"]
        )
        (self.folder / "resolv.conf").touch()
        config = KUBELET | {
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self.control_plane.authority.certificate)},
            },
            "tlsCertFile": str(serving.certificate),
            "tlsPrivateKeyFile": str(serving.key),
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "resolvConf": str(self.folder / "resolv.conf"),
            "podLogsDir": str(self.folder / "pod-logs"),
            "volumePluginDir": str(self.folder / "volume-plugins"),
        }
        _write_json(self.folder / "kubelet.yaml", config)
        return [
            binary_path("kubelet"),
            f"--config={self.folder / 'kubelet.yaml'}",
            f"--kubeconfig={login}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_IP}",
            f"--root-dir={self.folder / 'kubelet'}",
            f"--cert-dir={self.folder / 'pki'}",
        ]

    def proxy(self) -> Command:
        """The service network, as nftables rules of the namespace."""
        login = self.control_plane.create_kubeconfig("proxy", user="system:kube-proxy")
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(login)},
            "mode": "nftables",
            # Else an answer to a pod on the same bridge bypasses the address translation, where no module prevents it.
            "nftables": {"masqueradeAll": True},
            "clusterCIDR": CLUSTER_RANGE,
            "hostnameOverride": NODE_NAME,
            # The limits of the connection table belong to the machine, not to this namespace.
            "conntrack": {"maxPerCore": 0, "min": 0},
        }
        _write_json(self.folder / "proxy.yaml", config)
        return [binary_path("kube-proxy"), f"--config={self.folder / 'proxy.yaml'}"]

    def dns(self) -> Command:
        """Names of services, answered at the node's address; there is no other resolver to ask."""
        login = self.control_plane.create_kubeconfig("dns", user="dns", groups=["system:masters"])
        (self.folder / "Corefile").write_text(COREFILE.format(address=NODE_IP, login=login))
        return [binary_path("coredns"), f"-conf={self.folder / 'Corefile'}"]

    def ctr(self) -> Command:
        """containerd's own client, bound to the containers of Kubernetes."""
        return [binary_path("ctr"), f"--address={self.socket}", "--namespace=k8s.io"]


KUBELET: dict[str, Any] = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "authorization": {"mode": "Webhook"},
    "cgroupDriver": "cgroupfs",
    "failCgroupV1": False,
    "failSwapOn": False,
    "serializeImagePulls": False,
    "clusterDNS": [NODE_IP],
    "clusterDomain": "cluster.local",
    "nodeStatusUpdateFrequency": "2s",
    # A developer's disk is often nearly full: images go by age, never because of it. Not in per cent of the disk,
    # whose size says little about what is left: at a quota, 2 % of 250 GB stopped a node that needed half a GB.
    "evictionHard": {"memory.available": "100Mi", "nodefs.available": "500Mi", "imagefs.available": "500Mi"},
    "imageGCHighThresholdPercent": 100,
    "imageGCLowThresholdPercent": 99,
    "imageMaximumGCAge": "24h",
}

CONTAINERD = """\
version = 3
root = "{root}/root"
state = "{root}/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"
[plugins."io.containerd.nri.v1.nri"]
  disable = true  # its socket would lie outside the state folder
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "{snapshotter}"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true  # else no pod starts where CAP_SYS_RESOURCE is missing
  # Else below /run/netns, where those of a pod that was just being made cannot be told from another cluster's.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{plugins}"]
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "{runc}"
"""

COREFILE = """\
.:53 {{
  bind {address}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {login}
  }}
  cache 5
}}
"""


def _bridge(folder: Path) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "dataDir": str(folder / "addresses"),
        "ranges": [[{"subnet": POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": True, "ipMasqBackend": "nftables"}
    ports = {"type": "portmap", "backend": "nftables", "capabilities": {"portMappings": True}}
    return {
        "cniVersion": "1.0.0",
        "name": "devcluster",
        "plugins": [{**bridge, "hairpinMode": True, "ipam": addresses}, ports],
    }


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) if path.suffix == ".conflist" else yaml.safe_dump(document))

"""
The product on a cluster: its images, its chart, a volume to publish to. Shared by the demo and the tests.

As a program it makes the layers of the largest image, which `make test` does while other things are compiled.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.build.go_build import binary_path
from devcluster.cluster.kubectl import Kubectl
from devcluster.cluster.node import Node, default_node
from devcluster.cluster.node_daemons import NODE_NAME

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = "videojob-system"
RELEASE = "videojob"
RESTRICTED_LABELS = {"pod-security.kubernetes.io/enforce": "restricted"}


@dataclass(frozen=True)
class Images:
    """References by digest."""

    operator: str
    runner: str


@dataclass(frozen=True)
class DeployTarget:
    """A cluster to install on, and the S3 endpoints that its jobs may reach over plain http."""

    kubeconfig: Path
    insecure_s3_endpoints: tuple[str, ...] = ()

    @property
    def kubectl(self) -> Kubectl:
        """kubectl for it."""
        return Kubectl(self.kubeconfig)


def node_target(node: Node) -> DeployTarget:
    """A devcluster node as a target."""
    return DeployTarget(node.kubeconfig, (node.s3.endpoint,))


def build_contract_images(node: Node) -> Images:
    """The operator's image, and the runner's without torch: enough for TEST jobs, built in seconds."""
    return Images(build_operator_image(node), build_runner_image(node, target="contract"))


def build_images(node: Node) -> Images:
    """Both images whole; the first build brings torch and takes minutes."""
    return Images(build_operator_image(node), build_runner_image(node, target="runner"))


def build_operator_image(node: Node) -> str:
    """Operator, agent and command line."""
    return node.images.build(ROOT / "Dockerfile.operator", "videojob-operator")


def prebuild_runner_layers(node: Node) -> None:
    """The layers of the runner's image with torch, before there is a node to push it to."""
    node.images.build_layers(ROOT / "Dockerfile.runner", "videojob-runner", target="runner")


def build_runner_image(node: Node, *, target: str) -> str:
    """The runner, whole (`runner`) or TEST only (`contract`)."""
    return node.images.build(ROOT / "Dockerfile.runner", f"videojob-{target}", target=target)


def install_chart(target: DeployTarget, images: Images, *, waits: dict[str, int] | None = None) -> None:
    """Installs or upgrades the chart and waits until the operator is ready."""
    repository, _, digest = images.operator.partition("@")
    values: dict[str, Any] = {
        "image": {"repository": repository, "digest": digest},
        "runner": {"image": images.runner},
        "s3": {"allowedEndpoints": list(target.insecure_s3_endpoints)},
        "waits": waits or {},
    }
    ensure_namespace(target, NAMESPACE)
    chart = str(ROOT / "helm" / "videojob")
    helm(target, "upgrade", "--install", RELEASE, chart, "--wait", "--timeout=120s", values=values)


def helm(target: DeployTarget, *arguments: str, values: dict[str, Any]) -> str:
    """Runs helm on a cluster; what it complains about becomes the error."""
    command = [str(binary_path("helm")), f"--kubeconfig={target.kubeconfig}", f"--namespace={NAMESPACE}", *arguments]
    command += ["--values", "-"]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"helm {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def ensure_namespace(target: DeployTarget, name: str) -> None:
    """A namespace under the restricted Pod Security profile."""
    metadata = {"name": name, "labels": RESTRICTED_LABELS}
    target.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def create_volume(node: Node, *, namespace: str, claim: str) -> Path:
    """A claim in `namespace` bound to a folder of this machine, which is returned."""
    ensure_namespace(node_target(node), namespace)
    folder = node.folder / "volumes" / namespace / claim
    folder.mkdir(parents=True, exist_ok=True)
    node.kubectl.apply(*volume_manifests(f"{namespace}-{claim}", namespace=namespace, claim=claim, folder=folder))
    return folder


def volume_manifests(name: str, *, namespace: str, claim: str, folder: Path) -> list[dict[str, Any]]:
    """A local volume and its claim, bound to each other from both ends."""
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]}
    shared = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    disk = shared | {
        "capacity": {"storage": "10Gi"},
        "persistentVolumeReclaimPolicy": "Retain",
        "local": {"path": str(folder)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}},
        "claimRef": {"namespace": namespace, "name": claim},
    }
    asked = shared | {"volumeName": name, "resources": {"requests": {"storage": "1Gi"}}}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": disk},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim, "namespace": namespace},
            "spec": asked,
        },
    ]


if __name__ == "__main__":
    prebuild_runner_layers(default_node())

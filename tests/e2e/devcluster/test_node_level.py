"""The node level as its users meet it: names, the API from inside, devices, images by digest, S3, logs and exec."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from devcluster.build.go_build import build_folder
from devcluster.cluster.kubectl import Kubectl, KubectlError
from devcluster.cluster.network_namespace import NODE_IP
from devcluster.cluster.node import Node
from devcluster.cluster.node_daemons import NODE_NAME
from devcluster.cluster.s3 import S3Credentials
from devcluster.host.machine_lock import MachineLock
from devcluster.versions import SOURCES

Pod = dict[str, Any]


def pod(name: str, image: str, script: str, **container: Any) -> Pod:
    command = {"name": "main", "image": image, "command": ["sh", "-c", script], **container}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [command]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def space(node: Node) -> Iterator[str]:
    """A fresh namespace in which pods can be made at once."""
    with node.kubectl.namespace("devcluster") as name:
        node.kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=30s")
        yield name


@pytest.fixture
def busybox(node: Node) -> str:
    return node.images.ensure_base_images()["busybox"]


def output_of(node: Node, space: str, made: Pod) -> str:
    """What a pod says until it succeeds."""
    node.kubectl.apply(made, namespace=space)
    name = made["metadata"]["name"]
    node.kubectl("wait", f"pod/{name}", "-n", space, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    return node.kubectl("logs", name, "-n", space)


def test_a_pod_finds_the_api_server_by_name_and_through_the_service_address(
    node: Node, space: str, busybox: str
) -> None:
    script = "wget -qO- --no-check-certificate https://kubernetes.default/version"
    assert '"gitVersion": "v1.34' in output_of(node, space, pod("asks", busybox, script))


def test_a_service_reaches_the_pod_behind_it(node: Node, space: str, busybox: str) -> None:
    server = pod("server", busybox, "echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp")
    server["metadata"]["labels"] = {"app": "server"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    node.kubectl.apply(server, service, namespace=space)
    node.kubectl("wait", "pod/server", "-n", space, "--for=condition=Ready", "--timeout=60s")
    script = f"until timeout 5 wget -qO- http://web.{space}.svc.cluster.local; do sleep 0.2; done"
    assert output_of(node, space, pod("client", busybox, script)) == "hello\n"


def test_exec_reaches_into_a_running_pod(node: Node, space: str, busybox: str) -> None:
    node.kubectl.apply(pod("runs", busybox, "sleep 1000"), namespace=space)
    node.kubectl("wait", "pod/runs", "-n", space, "--for=condition=Ready", "--timeout=60s")
    assert node.kubectl("exec", "runs", "-n", space, "--", "echo", "inside") == "inside\n"


def test_a_pod_cannot_leave_the_machine(node: Node, space: str, busybox: str) -> None:
    script = "wget -qO- http://192.0.2.1/ 2>&1 || true"
    assert "Network is unreachable" in output_of(node, space, pod("escapes", busybox, script))


def test_the_one_made_up_device_is_given_to_one_pod_at_a_time(node: Node, space: str, busybox: str) -> None:
    node.set_extended_resources({"example.com/gpu": 1})
    device = {"resources": {"limits": {"example.com/gpu": 1}}}
    node.kubectl.apply(pod("first", busybox, "sleep 1000", **device), namespace=space)
    node.kubectl("wait", "pod/first", "-n", space, "--for=condition=Ready", "--timeout=60s")
    node.kubectl.apply(pod("second", busybox, "true", **device), namespace=space)
    node.kubectl("wait", "pod/second", "-n", space, "--for=condition=PodScheduled=False", "--timeout=30s")
    node.kubectl("delete", "pod", "first", "-n", space)
    node.kubectl("wait", "pod/second", "-n", space, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")


def test_an_image_is_built_once_and_again_when_its_input_changes(
    node: Node, space: str, busybox: str, tmp_path: Path
) -> None:
    word = tmp_path / "word"
    unique = secrets.token_hex(4)  # an earlier run's image must not answer for this one
    word.write_text(f"one {unique}\n")
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM localhost/busybox:devcluster\nARG EXTRA\nCOPY word /word\nRUN echo $EXTRA >> /word\n")

    def built() -> str:
        return node.images.build(dockerfile, "words", build_args={"EXTRA": "more"})

    first = built()
    log = node.images.buildah.folder / "logs" / "words-devcluster.log"
    log.unlink()
    assert built() == first
    assert not log.exists(), "nothing changed, yet it was built again"
    assert output_of(node, space, pod("one", first, "cat /word")) == f"one {unique}\nmore\n"
    word.write_text(f"two {unique}\n")
    kept = len(node.images.buildah.run("images", "--all").splitlines())
    assert output_of(node, space, pod("two", built(), "cat /word")) == f"two {unique}\nmore\n"
    assert len(node.images.buildah.run("images", "--all").splitlines()) == kept, "old layers must not pile up"


def bucket_of(node: Node, user: S3Credentials) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=node.s3.endpoint_on_host,
        region_name="us-east-1",
        aws_access_key_id=user.access_key,
        aws_secret_access_key=user.secret_key,
        config=Config(s3={"addressing_style": "path"}, proxies={}),
    )


def test_two_users_of_the_s3_server_have_a_bucket_each(node: Node) -> None:
    ann = node.s3.create_user("ann", secret="secret-of-ann", bucket="ann-bucket")
    ben = node.s3.create_user("ben", secret="secret-of-ben", bucket="ben-bucket")
    bucket_of(node, ann).put_object(Bucket=ann.bucket, Key="a/b", Body=b"hers")
    assert bucket_of(node, ann).get_object(Bucket=ann.bucket, Key="a/b")["Body"].read() == b"hers"
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket_of(node, ben).get_object(Bucket=ann.bucket, Key="a/b")
    assert node.s3.create_user("ann", secret="secret-of-ann", bucket="ann-bucket") == ann


def test_a_pod_reaches_the_s3_server(node: Node, space: str, busybox: str) -> None:
    script = f"wget -qO- {node.s3.endpoint}/healthz"
    assert NODE_IP in node.s3.endpoint
    assert output_of(node, space, pod("asks", busybox, script)).strip() == "OK"


def test_a_login_from_the_machine_acts_under_the_accounts_rights(node: Node, space: str) -> None:
    as_default = Kubectl(node.create_kubeconfig(f"system:serviceaccount:{space}:default"))
    with pytest.raises(KubectlError, match="cannot list resource"):
        as_default("get", "secrets", "-n", space)


def test_a_second_up_changes_nothing(node: Node) -> None:
    before = {name: node.daemons.pid(name) for name in node.daemons.names()}
    node.start()
    assert {name: node.daemons.pid(name) for name in node.daemons.names()} == before


def test_the_machines_lock_names_this_cluster(node: Node) -> None:
    holder = MachineLock().holder()
    assert holder is not None and holder.folder == str(node.folder)


def test_the_runtime_is_of_the_table_and_not_the_machines(node: Node) -> None:
    version = next(source.version for source in SOURCES if source.name == "containerd")
    told = node.kubectl.json("get", "node", NODE_NAME)["status"]["nodeInfo"]["containerRuntimeVersion"]
    command = (Path("/proc") / str(node.daemons.pid("containerd")) / "cmdline").read_text()
    assert told.startswith("containerd://")
    assert str(build_folder(next(source for source in SOURCES if source.version == version))) in command

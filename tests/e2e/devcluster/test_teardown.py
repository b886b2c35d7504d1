"""
Down leaves nothing: no process, namespace, mount, cgroup, link or rule, and the data is there at the next start.

The node of the session goes down and comes up again here, under the worst pod there is: one with volumes, a token, a
process that will not listen to anybody, and a child that has left its session.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devcluster.build.debian import program_path
from devcluster.cluster.network_namespace import NetworkNamespace
from devcluster.cluster.node import Node
from devcluster.host.machine_lock import MACHINE_LOCK
from devcluster.host.mounts import mounts_below

STUBBORN = "trap '' TERM INT HUP; (setsid sleep 5000 &) ; while true; do sleep 1; done"


def stubborn_pod(image: str) -> dict[str, Any]:
    mount = {"name": "memory", "mountPath": "/memory"}
    container = {"name": "main", "image": image, "command": ["sh", "-c", STUBBORN], "volumeMounts": [mount]}
    volumes = [{"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]
    spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 600}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stubborn"}, "spec": spec}


def an_image(node: Node, folder: Path, *, word: str) -> str:
    """An image under always the same name."""
    (folder / "word").write_text(word)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY word /word\n")
    return node.images.build(folder / "Dockerfile", "teardown")


def lines_of(*command: str | Path) -> set[str]:
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def network_namespaces() -> dict[str, str]:
    """Every process's network namespace, by pid."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found[entry.parts[2]] = str(entry.readlink())
        except OSError:
            continue  # ended meanwhile, or a zombie
    return found


def commands_that_mention(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def pod_cgroups() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    return [path for path in (root / "kubepods", *root.glob("*/kubepods")) if path.exists()]


@dataclass(frozen=True)
class Machine:
    """What of the machine a cluster could leave something in; `inside` are the namespaces of cluster and pods."""

    links: set[str]
    rules: set[str]
    pod_namespaces: set[Path]
    inside: set[str]

    @classmethod
    def look(cls, folder: Path) -> Machine:
        own = str(Path("/proc/self/ns/net").readlink())
        links = {line.split()[0] for line in lines_of(program_path("ip"), "-brief", "link")}
        names = {mount for mount in mounts_below(folder) if mount.name.startswith("cni-")}
        rules = lines_of(program_path("nft"), "list", "ruleset")
        return cls(links, rules, names, set(network_namespaces().values()) - {own})


@dataclass(frozen=True)
class Story:
    """One down of a busy node, and one up."""

    busy: Machine
    quiet: Machine
    folder: Path
    left_running: list[str]
    mounts: list[Path]
    cgroups: list[Path]
    lock: bool
    namespace: bool
    renamed: str
    """An image whose name went to another one before the stop."""
    current: str


@pytest.fixture(scope="module")
def story(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    scratch = tmp_path_factory.mktemp("image")
    image = node.images.ensure_base_images()["busybox"]
    with node.kubectl.namespace("teardown") as space:
        node.kubectl("wait", "--for=create", "serviceaccount/default", "-n", space, "--timeout=30s")
        node.kubectl.apply(stubborn_pod(image), namespace=space)
        node.kubectl("wait", "pod/stubborn", "-n", space, "--for=condition=Ready", "--timeout=60s")
        renamed, current = (an_image(node, scratch, word=secrets.token_hex(4)) for _ in range(2))
        node.kubectl("create", "configmap", "kept", "--from-literal=word=yes", "-n", space)
        busy = Machine.look(node.folder)
        node.stop()
        try:
            told = Story(
                busy=busy,
                quiet=Machine.look(node.folder),
                folder=node.folder,
                left_running=commands_that_mention(str(node.folder)),
                mounts=mounts_below(node.folder.parent.parent),
                cgroups=pod_cgroups(),
                lock=MACHINE_LOCK.exists(),
                namespace=NetworkNamespace(node.folder / "netns").exists,
                renamed=renamed,
                current=current,
            )
        finally:
            node.start()
        assert node.kubectl.json("get", "configmap", "kept", "-n", space)["data"] == {"word": "yes"}
        yield told


def test_the_node_was_really_busy(story: Story) -> None:
    assert story.busy.pod_namespaces
    assert len(story.busy.inside) >= 2


def test_no_process_is_left(story: Story) -> None:
    assert story.left_running == []


def test_no_process_is_left_in_the_clusters_or_a_pods_network(story: Story) -> None:
    assert not story.quiet.inside & story.busy.inside


def test_no_namespace_is_left(story: Story) -> None:
    assert not story.namespace
    assert story.quiet.pod_namespaces == set()


def test_no_mount_is_left(story: Story) -> None:
    assert story.mounts == []


def test_no_cgroup_is_left(story: Story) -> None:
    assert story.cgroups == []


def test_links_and_rules_of_the_machine_are_as_before(story: Story) -> None:
    assert story.quiet.links == story.busy.links
    assert story.quiet.rules == story.busy.rules


def test_the_machine_is_free_for_another_node(story: Story) -> None:
    assert not story.lock


def test_the_data_is_there_after_the_next_start(story: Story, node: Node) -> None:
    assert node.running
    names = node.kubectl("get", "pods", "--all-namespaces", "--field-selector=metadata.name=stubborn", "-o", "name")
    assert names == "", "the pod was deleted with its node"


def test_an_image_without_a_name_does_not_outlive_a_restart(story: Story, node: Node) -> None:
    assert node.registry.has_image(story.current)
    assert not node.registry.has_image(story.renamed)

"""The workbench of the whole-node tests: one node, one installed product, one namespace for each run."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from devcluster import paths
from devcluster.cluster.node import Node
from scripts import deploy
from tests.e2e import background_jobs
from tests.e2e.disruptions import Disruptor
from tests.e2e.environment import E2eEnvironment, LocalRun
from tests.e2e.kube import Kube
from tests.e2e.manifests import DEFAULT_DISRUPTIONS, EXAMPLES, QUICKSTART, example, videojob, with_frequent_checkpoints

CLAIM = "videos"
WAITS = {"configError": 8, "imagePull": 12, "podRefused": 10}
"""Seconds; the defaults are made for people, not for tests."""


def collected(request: pytest.FixtureRequest) -> set[str]:
    """Names of the files whose tests this session runs."""
    return {item.path.name for item in request.session.items}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the node; who has begun ahead comes last."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
    items.sort(key=lambda item: background_jobs.file_order(item.path.name))


@pytest.fixture(scope="session")
def images(node: Node) -> deploy.Images:
    """Both images, whole."""
    return deploy.build_images(node)


@pytest.fixture(scope="session")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """The quickstart without a cluster."""
    output = tmp_path_factory.mktemp("local")
    command = [sys.executable, "-m", "videojob_cli", "run", str(EXAMPLES / QUICKSTART), "--output", str(output)]
    with subprocess.Popen(command, cwd=EXAMPLES.parent) as process:
        yield LocalRun(process, output)
        process.kill()


@pytest.fixture(scope="session")
def lab(
    node: Node, images: deploy.Images, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[E2eEnvironment]:
    """The product installed, and a namespace under the restricted profile with a claim and a bucket."""
    deploy.install_chart(deploy.node_target(node), images, waits=WAITS)
    namespace = f"videos-{secrets.token_hex(3)}"
    volume = deploy.create_volume(node, namespace=namespace, claim=CLAIM)
    kube = Kube(node.kubectl, namespace)
    user = node.s3.create_user("alice", secret="alice-secret-key", bucket="videos")
    lab = E2eEnvironment(
        kube=kube,
        volume=volume,
        images=other_images(node, tmp_path_factory.mktemp("images"))
        | {"operator": images.operator, "runner": images.runner},
        s3={
            "endpoint": node.s3.endpoint,
            "endpoint_on_host": node.s3.endpoint_on_host,
            "bucket": user.bucket,
            "access": user.access_key,
            "secret": user.secret_key,
        },
    )
    # The first pod pulls gigabytes; no test should count those seconds as its own.
    lab.watch(videojob("warm-up", test={"durationSeconds": 0}), timeout=600)
    modules = {item.module for item in request.session.items if isinstance(item, pytest.Function)}
    early = sorted((module for module in modules if hasattr(module, "ahead")), key=background_jobs.module_order)
    renderings = ThreadPoolExecutor(1, thread_name_prefix="renderings")
    if "test_resume.py" in collected(request):
        request.getfixturevalue("local_run")
        job = with_frequent_checkpoints(example(QUICKSTART))
        lab.disrupted_runs[job["metadata"]["name"]] = renderings.submit(
            Disruptor(kube, node).run, job, DEFAULT_DISRUPTIONS
        )
    with background_jobs.start_background_jobs(lab, early, renderings=renderings):
        yield lab
    if not os.environ.get("VIDEOJOB_KEEP_CLUSTER"):
        kube.run("delete", "namespace", namespace, "--wait=false")


def other_images(node: Node, folder: Path) -> dict[str, str]:
    """Images that are not ours: a shell that runs as nobody, and one that insists on root."""
    node.images.ensure_base_images()
    shell = (deploy.ROOT / "devcluster" / "dockerfiles" / "Dockerfile.busybox").read_text()
    made = {}
    for name, user in (("busybox", "65532"), ("root", "0")):
        dockerfile = folder / f"Dockerfile.{name}"
        dockerfile.write_text(f"{shell}\nUSER {user}\n")
        made[name] = node.images.build(dockerfile, f"test-{name}", context=paths.cache_folder() / "images" / "basics")
    return made


@pytest.fixture(scope="session")
def kube(lab: E2eEnvironment) -> Kube:
    """kubectl in the tests' namespace."""
    return lab.kube


@pytest.fixture(scope="session")
def bucket(lab: E2eEnvironment) -> Any:
    """The tests' own view of the bucket."""
    return boto3.client(
        "s3",
        endpoint_url=lab.s3["endpoint_on_host"],
        aws_access_key_id=lab.s3["access"],
        aws_secret_access_key=lab.s3["secret"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )


@pytest.fixture
def node_with_one_gpu(node: Node) -> Iterator[str]:
    """The name of the fake device, of which the node has exactly one."""
    node.set_extended_resources({"example.com/gpu": 1})
    yield "example.com/gpu"

"""The chart on a real API server: install, upgrade, roll back, uninstall, install again; nothing of value is lost."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import devcluster
from devcluster.build.go_build import binary_path
from tests.e2e.kube import Kube
from tests.e2e.manifests import videojob

pytestmark = pytest.mark.apiserver
CHART = Path(__file__).resolve().parents[3] / "helm" / "videojob"
SYSTEM = "videojob-system"


class Helm:
    """helm with one release in one namespace."""

    def __init__(self, kubeconfig: Path) -> None:
        self._environment = os.environ | {"KUBECONFIG": str(kubeconfig)}

    def __call__(self, *arguments: str) -> str:
        command = [str(binary_path("helm")), *arguments, "--namespace", SYSTEM]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def upgrade(self, *options: str) -> str:
        return self("upgrade", "--install", "--create-namespace", "videojob", str(CHART), *options)


@pytest.fixture(scope="module")
def cluster() -> Iterator[devcluster.ApiServer]:
    """An API server of its own: the definition belongs to the release here."""
    try:
        binary_path("helm")
        with devcluster.api_server() as found:
            yield found
    except devcluster.Unsupported as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def helm(cluster: devcluster.ApiServer) -> Helm:
    return Helm(cluster.kubeconfig)


@pytest.fixture(scope="module")
def kube(cluster: devcluster.ApiServer, helm: Helm) -> Kube:
    """The installed release's namespace, with certificates in its Secret and one VideoJob."""
    notes = helm.upgrade("--set", "runner.image=runner:1")
    assert "The VideoJob operator is installed as videojob" in notes
    kube = Kube(cluster.kubectl, SYSTEM)
    cluster.kubectl.wait_established("videojobs.videojobs.dev")
    kube.run("patch", "secret", "videojob-tls", "-p", json.dumps({"stringData": {"ca.crt": "made at run time"}}))
    kube.apply(videojob("precious"))
    return kube


def operator(kube: Kube) -> dict[str, Any]:
    [container] = kube.get("deployment", "videojob")["spec"]["template"]["spec"]["containers"]
    return dict(container)


def test_the_notes_warn_when_no_runner_is_named(kube: Kube, helm: Helm) -> None:
    assert "every VideoJob has to name spec.runner.image" in helm.upgrade("--set", "runner.image=")
    assert "runner.image" not in helm.upgrade("--set", "runner.image=runner:1")


def test_an_upgrade_changes_the_operator_and_leaves_its_certificates(kube: Kube, helm: Helm) -> None:
    before = kube.get("secret", "videojob-tls")["data"]
    helm.upgrade("--set", "image.tag=v2", "--set", "waits.podRefused=5")
    assert operator(kube)["image"] == "videojob-operator:v2"
    assert {"name": "VIDEOJOB_POD_REFUSED_WAIT_SECONDS", "value": "5"} in operator(kube)["env"]
    assert kube.get("secret", "videojob-tls")["data"] == before


def test_a_rollback_brings_the_old_operator_back(kube: Kube, helm: Helm) -> None:
    helm.upgrade("--set", "image.tag=v3")
    helm("rollback", "videojob")
    assert operator(kube)["image"] != "videojob-operator:v3"
    assert kube.get("secret", "videojob-tls")["data"]


def test_an_upgrade_without_changes_changes_nothing(kube: Kube, helm: Helm) -> None:
    helm.upgrade("--set", "image.tag=v4")
    before = kube.get("deployment", "videojob")["metadata"]["generation"]
    helm.upgrade("--set", "image.tag=v4")
    assert kube.get("deployment", "videojob")["metadata"]["generation"] == before


def test_uninstalling_keeps_definition_jobs_and_certificates_and_the_next_install_takes_them_over(
    kube: Kube, helm: Helm
) -> None:
    uid = kube.get("vj", "precious")["metadata"]["uid"]
    helm("uninstall", "videojob")
    assert kube.find("deployment", "videojob") is None
    assert kube.get("vj", "precious")["metadata"]["uid"] == uid
    helm.upgrade()
    assert kube.get("vj", "precious")["metadata"]["uid"] == uid
    assert kube.get("secret", "videojob-tls")["data"]
    assert operator(kube)["image"].startswith("videojob-operator:")

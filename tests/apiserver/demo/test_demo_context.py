"""The demo on a cluster that the user names: nothing before a yes, nothing but that cluster, nothing of theirs lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import devcluster
from scripts import demo_context, demo_display, deploy

pytestmark = pytest.mark.apiserver
DIGEST = "@sha256:" + "a" * 64
IMAGES = deploy.Images(f"registry.example/operator{DIGEST}", f"registry.example/runner{DIGEST}")


@pytest.fixture
def kubeconfig(api_server: devcluster.ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's kubeconfig: this cluster as `mine`, and another one that is the current context."""
    document = yaml.safe_load(api_server.kubeconfig.read_text())
    document["contexts"][0]["name"] = "mine"
    document["clusters"].append({"name": "else", "cluster": {"server": "https://127.0.0.1:1"}})
    document["contexts"].append({"name": "else", "context": {"cluster": "else", "user": "user"}})
    document["current-context"] = "else"
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


@pytest.fixture
def target(api_server: devcluster.ApiServer) -> deploy.DeployTarget:
    return deploy.DeployTarget(api_server.kubeconfig)


@pytest.mark.parametrize(
    ("operator", "runner", "variable"),
    [("", IMAGES.runner, "OPERATOR_IMAGE"), (IMAGES.operator, "registry.example/runner:latest", "RUNNER_IMAGE")],
)
def test_an_image_without_a_digest_is_refused_by_its_variable(operator: str, runner: str, variable: str) -> None:
    with pytest.raises(SystemExit, match=rf"^{variable}=.* must be a reference by digest"):
        demo_context.run_demo("mine", deploy.Images(operator, runner))


def test_only_the_named_context_is_left(kubeconfig: Path, tmp_path: Path, api_server: devcluster.ApiServer) -> None:
    alone = demo_context.single_context_kubeconfig("mine", tmp_path)
    assert [context["name"] for context in yaml.safe_load(alone.read_text())["contexts"]] == ["mine"]
    assert demo_context.server_address(alone) in api_server.kubeconfig.read_text()
    assert alone.stat().st_mode & 0o077 == 0


def test_a_context_that_does_not_exist_is_named(kubeconfig: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"CONTEXT='nowhere': .*get-contexts"):
        demo_context.single_context_kubeconfig("nowhere", tmp_path)


def test_without_a_yes_nothing_is_done(
    kubeconfig: Path, target: deploy.DeployTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_display.console, "input", lambda _: "")
    with pytest.raises(SystemExit, match="nothing was done"):
        demo_context.run_demo("mine", IMAGES)
    assert not target.kubectl("get", "namespace", deploy.NAMESPACE, "--ignore-not-found")


def test_a_claim_of_the_users_is_taken_as_it_is(target: deploy.DeployTarget) -> None:
    def claim() -> dict[str, object]:
        return dict(target.kubectl.json("get", "pvc", demo_display.CLAIM, "-n", demo_display.NAMESPACE))

    demo_context.ensure_claim(target)
    first = claim()
    demo_context.ensure_claim(target)
    assert claim() == first
    assert json.dumps(first).count("storageClassName") == 0  # the default class is the cluster's to choose


def test_a_demo_renders_anew_but_leaves_a_job_of_the_users_under_the_same_name(target: deploy.DeployTarget) -> None:
    def uid() -> str:
        return target.kubectl("get", "vj", "test", "-n", demo_display.NAMESPACE, "-o", "jsonpath={.metadata.uid}")

    target.kubectl("apply", "--server-side", "-f", str(demo_display.ROOT / "crds" / "videojobs.yaml"))
    target.kubectl.wait_established("videojobs.videojobs.dev")
    deploy.ensure_namespace(target, demo_display.NAMESPACE)
    demo_display.apply_example(target.kubectl, "test.yaml")
    first = uid()
    demo_display.apply_example(target.kubectl, "test.yaml")
    second = uid()
    assert second != first
    target.kubectl("label", "vj", "test", "-n", demo_display.NAMESPACE, f"{next(iter(demo_display.DEMO_LABELS))}-")
    demo_display.apply_example(target.kubectl, "test.yaml")
    assert uid() == second


def test_pod_security_restricted_takes_the_viewer(target: deploy.DeployTarget) -> None:
    deploy.ensure_namespace(target, demo_display.NAMESPACE)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    target.kubectl.apply(account, namespace=demo_display.NAMESPACE)
    pod = json.dumps(demo_context.viewer_pod_manifest(IMAGES.runner))
    said = target.kubectl("create", "-n", demo_display.NAMESPACE, "--dry-run=server", "-f", "-", stdin=pod)
    assert "created" in said

"""The chart: deterministic, restricted, no wider than its documented rights, and strict about its values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from videojob_operator.settings import PREFIX, OperatorSettings, from_environment

from tests.apiserver.chart.rendering import (
    CHART,
    ROOT,
    RenderFailed,
    helm,
    objects,
    operator_environment,
    operator_pod,
    render,
    render_cached,
)

pytestmark = pytest.mark.apiserver
DIGEST = "sha256:" + "a" * 64
Rights = set[tuple[str, str, str, str, frozenset[str]]]
"""Where, group, resource, only named, verbs."""


def cells(document: Path, *, heading: str) -> Iterator[list[str]]:
    """The rows of the table in `document` that begins with `heading`."""
    lines = iter(document.read_text().splitlines())
    for line in lines:
        if line.startswith(heading):
            break
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def documented() -> Rights:
    """The rights as docs/rbac.md tells them."""
    return {
        (where, group.replace("(core)", ""), resource, named, frozenset(verbs.split(", ")))
        for where, group, resource, named, verbs, _ in cells(ROOT / "docs" / "rbac.md", heading="| Where |")
    }


def granted(where: str, rules: Iterable[dict[str, Any]]) -> Rights:
    """The rights in a role's rules."""
    return {
        (where, group, resource, ",".join(rule.get("resourceNames", [])), frozenset(rule["verbs"]))
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_the_rights_are_exactly_those_documented() -> None:
    found = objects()
    cluster = found["ClusterRole", "videojob"]["rules"]
    everywhere = [rule for rule in cluster if rule["apiGroups"][0] in ("authentication.k8s.io", "apiextensions.k8s.io")]
    rights = granted("cluster", everywhere)
    rights |= granted("jobs", [rule for rule in cluster if rule not in everywhere])
    rights |= granted("own", found["Role", "videojob-system/videojob-own"]["rules"])
    assert rights == documented()


def test_a_namespaced_install_has_the_same_rights_in_its_namespaces_only() -> None:
    found = objects("--set", "rbac.scope=namespaces", "--set", "rbac.namespaces={art,night}")
    everywhere = granted("cluster", found["ClusterRole", "videojob"]["rules"])
    assert everywhere == {right for right in documented() if right[0] == "cluster"}
    for namespace in ("art", "night"):
        there = granted("jobs", found["Role", f"{namespace}/videojob"]["rules"])
        assert there == {right for right in documented() if right[0] == "jobs"}
        binding = found["RoleBinding", f"{namespace}/videojob"]
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "videojob", "namespace": "videojob-system"}]


def test_nobody_but_the_operator_is_bound() -> None:
    bindings = [found for (kind, _), found in objects().items() if kind.endswith("RoleBinding")]
    assert len(bindings) == 2
    subjects = [subject for binding in bindings for subject in binding["subjects"]]
    assert {(each["kind"], each["name"], each["namespace"]) for each in subjects} == {
        ("ServiceAccount", "videojob", "videojob-system")
    }


def test_users_rights_are_those_documented() -> None:
    found = objects()
    for role, aggregated, verbs in cells(ROOT / "docs" / "rbac.md", heading="| ClusterRole |"):
        rendered = found["ClusterRole", role]
        assert rendered["rules"] == [
            {"apiGroups": ["videojobs.dev"], "resources": ["videojobs"], "verbs": verbs.split(", ")}
        ]
        labels = rendered["metadata"]["labels"]
        assert labels[f"rbac.authorization.k8s.io/aggregate-to-{aggregated.split(',')[0]}"] == "true"


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert render() == render()


def test_templates_ask_neither_the_cluster_nor_chance() -> None:
    forbidden = re.compile(r"\b(lookup|rand\w+|genSignedCert|genSelfSignedCert|genCA|now|date|uuidv4)\b")
    for template in (CHART / "templates").iterdir():
        assert not forbidden.search(re.sub(r"(?m)^\s*#.*$", "", template.read_text())), template.name


def test_the_secret_has_no_data_that_an_upgrade_could_put_back() -> None:
    secret = objects()["Secret", "videojob-system/videojob-tls"]
    assert set(secret) == {"apiVersion", "kind", "metadata", "type"}
    assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_a_digest_wins_over_the_tag() -> None:
    tagged = ("--set", "image.repository=r/op", "--set", "image.tag=v7")
    assert operator_pod(*tagged)["spec"]["containers"][0]["image"] == "r/op:v7"
    pinned = operator_pod(*tagged, "--set", f"image.digest={DIGEST}")
    assert pinned["spec"]["containers"][0]["image"] == f"r/op@{DIGEST}"
    assert operator_environment(*tagged, "--set", f"image.digest={DIGEST}")["VIDEOJOB_AGENT_IMAGE"] == f"r/op@{DIGEST}"


def test_without_tag_and_digest_the_charts_own_version_is_taken() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert operator_pod()["spec"]["containers"][0]["image"] == f"videojob-operator:{version}"


@pytest.mark.parametrize(
    ("option", "path"),
    [
        ("image.colour=red", "/image"),
        ("colour=red", "colour"),
        ("rbac.scope=galaxy", "/rbac/scope"),
        ("rbac.scope=namespaces", "/rbac/namespaces"),
        ("rbac.namespaces={art}", "/rbac/namespaces"),
        ("image.digest=latest", "/image/digest"),
        ("s3.allowedEndpoints={https://x}", "/s3/allowedEndpoints/0"),
        ("s3.allowedEndpoints={http://user@x}", "/s3/allowedEndpoints/0"),
        ("waits.podRefused=0", "/waits/podRefused"),
        ("waits.noPod=5", "/waits"),
        ("service.statusPort=0", "/service/statusPort"),
        ("logLevel=LOUD", "/logLevel"),
        ("fullnameOverride=Not_A_Name", "/fullnameOverride"),
        ("runner.tag=7", "/runner"),
    ],
)
def test_a_wrong_value_is_refused_and_its_path_named(option: str, path: str) -> None:
    with pytest.raises(RenderFailed) as caught:
        render_cached("--set", option)
    assert path in str(caught.value)


def test_every_value_is_in_the_schema() -> None:
    helm("lint", "--strict", str(CHART), "--kube-version", "1.34.4")


def test_the_operators_pod_is_restricted() -> None:
    spec = operator_pod()["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert [volume for volume in spec["volumes"] if set(volume) - {"name"} != {"emptyDir"}] == []
    assert container["resources"]["requests"] == {"cpu": "50m", "memory": "128Mi"}
    assert "memory" in container["resources"]["limits"]


def test_one_operator_at_a_time() -> None:
    spec = objects()["Deployment", "videojob-system/videojob"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_chart_sets_only_variables_that_the_operator_reads() -> None:
    [container] = operator_pod()["spec"]["containers"]
    names = {each["name"] for each in container["env"]}
    known = {PREFIX + name.upper() for name in OperatorSettings.model_fields}
    assert names <= known
    assert known - names == {"VIDEOJOB_BIND", "VIDEOJOB_STATUS_PORT", "VIDEOJOB_METRICS_PORT", "VIDEOJOB_VERSION"}


def test_the_charts_defaults_are_the_operators() -> None:
    told = from_environment(operator_environment() | {"VIDEOJOB_NAMESPACE": "videojob-system"})
    least = {"VIDEOJOB_NAMESPACE": "videojob-system", "VIDEOJOB_AGENT_IMAGE": told.agent_image}
    assert told == from_environment(least)


def test_values_reach_the_operator() -> None:
    variables = operator_environment(
        "--set", "s3.allowedEndpoints={http://minio:9000,http://10.0.0.1}",
        "--set", f"runner.image=r/runner@{DIGEST}",
        "--set", "waits.imagePull=5",
        "--set", "service.statusPort=9443",
        "--set", "image.pullPolicy=Always",
    )  # fmt: skip
    assert variables["VIDEOJOB_S3_ALLOWED_ENDPOINTS"] == "http://minio:9000,http://10.0.0.1"
    assert variables["VIDEOJOB_RUNNER_IMAGE"] == f"r/runner@{DIGEST}"
    assert variables["VIDEOJOB_IMAGE_PULL_WAIT_SECONDS"] == "5"
    assert variables["VIDEOJOB_SERVICE_PORT"] == "9443"
    assert variables["VIDEOJOB_IMAGE_PULL_POLICY"] == "Always"


def test_another_release_name_is_another_installation() -> None:
    found = objects(release="studio")
    assert ("Deployment", "videojob-system/studio-videojob") in found
    [rule] = found["Role", "videojob-system/studio-videojob-own"]["rules"]
    assert rule["resourceNames"] == ["studio-videojob-tls"]
    assert ("Secret", "videojob-system/studio-videojob-tls") in found


def test_the_definition_is_the_generated_one_and_is_kept() -> None:
    source = yaml.safe_load((CHART / "files" / "videojobs.yaml").read_text())
    rendered = objects()["CustomResourceDefinition", "videojobs.videojobs.dev"]
    assert rendered["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    source["metadata"].pop("annotations", None)
    assert rendered == source


def test_the_definition_can_be_left_to_others_or_go_with_the_release() -> None:
    key = ("CustomResourceDefinition", "videojobs.videojobs.dev")
    assert key not in objects("--set", "crds.enabled=false")
    assert "annotations" not in objects("--set", "crds.keep=false")[key]["metadata"]


def test_the_service_leads_to_both_ports_by_name() -> None:
    service = objects()["Service", "videojob-system/videojob"]["spec"]
    assert {port["name"]: port["port"] for port in service["ports"]} == {"status": 8443, "metrics": 8080}
    [container] = operator_pod()["spec"]["containers"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"status": 8443, "metrics": 8080}
    labels = operator_pod()["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()


def test_without_rights_and_account_the_chart_makes_none() -> None:
    found = objects("--set", "rbac.create=false", "--set", "serviceAccount.create=false")
    assert not [kind for kind, _ in found if "Role" in kind or kind == "ServiceAccount"]

"""The generated Job and its pod before a real API server, in a namespace that enforces Pod Security `restricted`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from videojob_api.messages.plan import JobRef
from videojob_api.resource.spec import VideoJobSpec
from videojob_operator.domain.manifests.job import job_manifest
from videojob_operator.domain.settings import ReconcileSettings

import devcluster
from devcluster.cluster.kubectl import KubectlError

pytestmark = pytest.mark.apiserver

SETTINGS = ReconcileSettings(
    agent_image="registry.example/videojob-operator@sha256:" + "a" * 64,
    runner_image="registry.example/videojob-runner@sha256:" + "b" * 64,
    endpoint="https://videojob.videojob-system.svc:8443",
    endpoint_ca="-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    image_pull_policy="IfNotPresent",
)
FRAMES = {"vqganClip": {"video": {"prompts": "costs $5 | $(HOME)", "frames": 12}}}
CPU = {"accelerator": "None"}
SECRET = {"credentials": {"secretName": "art-s3"}}
EVERYTHING_OF_A_POD = {
    "imagePullSecrets": ["registry"],
    "serviceAccountName": "renderer",
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}},
    "priorityClassName": "low",
    "runtimeClassName": "nvidia",
    "schedulerName": "volcano",
    "runAsUser": 1234,
    "scratch": {"size": "20Gi"},
    "shm": {"size": "2Gi"},
    "terminationGracePeriodSeconds": 300,
}
SPECS: dict[str, dict[str, Any]] = {
    "a test job to a claim": {
        "pipeline": FRAMES,
        "output": {"pvc": {"claimName": "videos"}},
        "runner": CPU,
        "test": {"durationSeconds": 30},
    },
    "a gpu job from and to buckets": {
        "pipeline": FRAMES,
        "inputs": [
            {"path": "seeds/init.png", "s3": {"bucket": "art", "key": "init.png"} | SECRET, "sizeBytes": 100},
            {"path": "other", "s3": {"bucket": "art", "key": "o", "credentials": {"secretName": "other-s3"}}},
        ],
        "output": {"s3": {"bucket": "art", "prefix": "videos/"} | SECRET, "layout": "Flat"},
        "runner": {"resources": {"limits": {"nvidia.com/gpu": 1, "memory": "8Gi"}, "requests": {"cpu": "500m"}}},
    },
    "everything a pod can say": {
        "pipeline": FRAMES,
        "output": {"pvc": {"claimName": "videos", "subPath": "a/b"}},
        "runner": CPU,
        "pod": EVERYTHING_OF_A_POD,
        "retry": {"limit": 0},
        "deadlines": {"activeSeconds": 3600},
        "suspend": True,
    },
    "a foreign image with one claim thrice": {
        "pipeline": {"custom": {"command": ["/bin/sh", "-c", "true"], "env": [{"name": "A", "value": "1"}]}},
        "inputs": [
            {"path": "copied", "pvc": {"claimName": "videos", "subPath": "x"}},
            {"path": "data/seen", "pvc": {"claimName": "videos", "subPath": "y"}, "access": "Mount"},
        ],
        "output": {"pvc": {"claimName": "videos"}},
        "runner": CPU | {"image": "registry.example/acme:1"},
    },
}


@pytest.fixture(scope="module")
def restricted(api_server: devcluster.ApiServer) -> Iterator[str]:
    """A namespace that enforces `restricted` and has everything the specs name."""
    kubectl = api_server.kubectl
    with kubectl.namespace("restricted") as name:
        levels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]
        kubectl("label", "namespace", name, *levels)
        for account in ("default", "renderer"):
            kubectl("create", "serviceaccount", account, "--namespace", name)
        classes: tuple[dict[str, Any], ...] = (
            {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1},
            {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "nvidia"},
        )
        for each, called in zip(classes, ("low", "nvidia"), strict=True):
            kubectl.apply(each | {"metadata": {"name": called}})
        yield name


def manifest(spec: dict[str, Any], *, namespace: str) -> dict[str, Any]:
    job = JobRef(namespace=namespace, name="s" * 52, uid="11111111-2222-3333-4444-555555555555")
    return job_manifest(job, VideoJobSpec.model_validate(spec), SETTINGS)


def tried(api_server: devcluster.ApiServer, document: dict[str, Any]) -> dict[str, Any]:
    """What the API server would store; unknown fields and warnings count as refusals."""
    strict = ("--dry-run=server", "--validate=strict", "--warnings-as-errors")
    found: dict[str, Any] = json.loads(
        api_server.kubectl("create", *strict, "-f", "-", "-o", "json", stdin=json.dumps(document))
    )
    return found


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    """The pod that the Job controller would make of it."""
    template = job["spec"]["template"]
    meta = {"name": "pod", "namespace": job["metadata"]["namespace"]} | template["metadata"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def missing(wanted: Any, found: Any, *, where: str = "") -> list[str]:
    """The paths at which `found` lacks what is wanted; additions and defaults are fine."""
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return [where]
        return [gap for key, value in wanted.items() for gap in missing(value, found.get(key), where=f"{where}.{key}")]
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) < len(wanted):
            return [where]
        pairs = zip(wanted, found, strict=False)
        return [gap for n, pair in enumerate(pairs) for gap in missing(*pair, where=f"{where}[{n}]")]
    return [] if wanted == found else [where]


@pytest.mark.parametrize("name", SPECS)
def test_the_api_server_takes_the_job_as_it_is(name: str, api_server: devcluster.ApiServer, restricted: str) -> None:
    wanted = manifest(SPECS[name], namespace=restricted)
    assert missing(wanted, tried(api_server, wanted)) == []


@pytest.mark.parametrize("name", SPECS)
def test_pod_security_restricted_takes_the_pod(name: str, api_server: devcluster.ApiServer, restricted: str) -> None:
    wanted = pod_of(manifest(SPECS[name], namespace=restricted))
    found = tried(api_server, wanted)
    assert missing(wanted["spec"]["securityContext"], found["spec"]["securityContext"]) == []
    assert [item["name"] for item in found["spec"]["volumes"]] == [item["name"] for item in wanted["spec"]["volumes"]]


@pytest.mark.parametrize(
    ("place", "broken"),
    [
        ("securityContext", {"runAsNonRoot": False}),
        ("containers", [{"name": "runner", "image": "x", "securityContext": {"allowPrivilegeEscalation": True}}]),
    ],
)
def test_this_namespace_would_refuse_less(
    place: str, broken: Any, api_server: devcluster.ApiServer, restricted: str
) -> None:
    pod = pod_of(manifest(SPECS["a test job to a claim"], namespace=restricted))
    pod["spec"][place] = broken
    with pytest.raises(KubectlError, match="violates PodSecurity"):
        tried(api_server, pod)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"podReplacementPolicy": "Failed", "podFailurePolicy": None, "backoffLimit": -1}, "backoffLimit"),
        ({"podReplacmentPolicy": "Failed"}, "unknown field"),
    ],
)
def test_this_check_notices_what_the_api_server_would_not_take(
    change: dict[str, Any], complaint: str, api_server: devcluster.ApiServer, restricted: str
) -> None:
    wrong = manifest(SPECS["a test job to a claim"], namespace=restricted)
    wrong["spec"] |= change
    with pytest.raises(KubectlError, match=complaint):
        tried(api_server, wrong)


def test_the_largest_plan_that_is_accepted_still_fits_into_a_job(
    api_server: devcluster.ApiServer, restricted: str
) -> None:
    inputs = [{"path": f"{n}", "s3": {"bucket": "art", "key": "k" * 1000 + str(n)}} for n in range(50)]
    large = SPECS["a foreign image with one claim thrice"] | {"inputs": inputs}
    large |= {"pipeline": {"custom": {"config": {"text": "$" * 32_000}}}}
    assert tried(api_server, manifest(large, namespace=restricted))["kind"] == "Job"

"""The resource as a user meets it on a real API server: explained, listed, selected, new and warned about."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import devcluster
from devcluster.cluster.kubectl import KubectlError
from tests import corpus, spec_fields
from tests.apiserver.api.dry_run import DryRunValidator

pytestmark = pytest.mark.apiserver


@pytest.fixture
def videos(api_server: devcluster.ApiServer, judge: DryRunValidator) -> Iterator[devcluster.ApiServer]:
    """A cluster whose judge's namespace holds one VideoJob called sunset."""
    api_server.kubectl.apply(corpus.BASE, namespace=judge.namespace)
    yield api_server
    api_server.kubectl("delete", "videojob", "sunset", "--namespace", judge.namespace)


def set_status(cluster: devcluster.ApiServer, namespace: str, status: dict[str, object]) -> None:
    cluster.kubectl(
        "patch",
        "videojob",
        "sunset",
        "--namespace",
        namespace,
        "--subresource=status",
        "--type=merge",
        "--patch",
        json.dumps({"status": status}),
    )


def test_a_new_object_waits_for_the_operator(videos: devcluster.ApiServer, judge: DryRunValidator) -> None:
    status = videos.kubectl.json("get", "videojob", "sunset", "-n", judge.namespace)["status"]
    assert status["observedGeneration"] == -1
    assert {(c["type"], c["status"], c["reason"]) for c in status["conditions"]} == {
        ("Accepted", "Unknown", "Pending"),
        ("Reconciling", "Unknown", "Pending"),
        ("Succeeded", "Unknown", "Pending"),
    }


def test_the_list_shows_how_far_a_video_is(videos: devcluster.ApiServer, judge: DryRunValidator) -> None:
    set_status(
        videos,
        judge.namespace,
        {"state": "Running", "progress": {"state": "running", "percent": 42, "frames": "50/120"}},
    )
    head, line = videos.kubectl("get", "vj", "-n", judge.namespace).splitlines()
    assert head.split() == ["NAME", "STATE", "PROGRESS", "FRAMES", "AGE"]
    assert line.split()[:4] == ["sunset", "Running", "42", "50/120"]
    wide = videos.kubectl("get", "videojobs", "-n", judge.namespace, "-o", "wide").splitlines()[0]
    assert wide.split() == ["NAME", "STATE", "PROGRESS", "FRAMES", "ATTEMPT", "REASON", "OUTPUT", "AGE"]


def test_videos_are_selected_by_their_state(videos: devcluster.ApiServer, judge: DryRunValidator) -> None:
    set_status(videos, judge.namespace, {"state": "Suspended"})
    for state, found in (("Suspended", 1), ("Running", 0)):
        items = videos.kubectl.json("get", "vj", "-n", judge.namespace, f"--field-selector=status.state={state}")
        assert len(items["items"]) == found


def test_conditions_are_merged_by_type(videos: devcluster.ApiServer, judge: DryRunValidator) -> None:
    written = {"type": "Accepted", "status": "True", "reason": "Valid", "lastTransitionTime": "2026-05-01T00:00:00Z"}
    body = {
        "apiVersion": corpus.BASE["apiVersion"],
        "kind": corpus.BASE["kind"],
        "metadata": {"name": "sunset", "namespace": judge.namespace},
        "status": {"conditions": [written]},
    }
    videos.kubectl(
        "apply", "--server-side", "--subresource=status", "--field-manager=test", "-f", "-", stdin=json.dumps(body)
    )
    status = videos.kubectl.json("get", "vj", "sunset", "-n", judge.namespace)["status"]
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "Accepted": "True",
        "Reconciling": "Unknown",
        "Succeeded": "Unknown",
    }


def test_an_unknown_field_is_refused_by_kubectl(api_server: devcluster.ApiServer, judge: DryRunValidator) -> None:
    manifest = corpus.with_edits(corpus.BASE, {"spec.colour": "red"})
    with pytest.raises(KubectlError, match=r'unknown field "spec\.colour"'):
        api_server.kubectl.apply(manifest, namespace=judge.namespace)


@pytest.mark.parametrize("path", ["", ".spec", ".spec.pipeline.vqganClip.video", ".spec.inputs.s3", ".status.progress"])
def test_the_resource_explains_itself(api_server: devcluster.ApiServer, judge: DryRunValidator, path: str) -> None:
    text = api_server.kubectl("explain", f"videojob{path}")
    assert "<no description>" not in text
    assert "VERSION:    v1alpha1" in text


def test_the_server_explains_in_the_words_of_the_models(
    api_server: devcluster.ApiServer, judge: DryRunValidator
) -> None:
    text = " ".join(api_server.kubectl("explain", "videojob.spec", "--recursive=false").split())
    for path, field in spec_fields.fields():
        if "." not in path:
            assert field["description"] in text

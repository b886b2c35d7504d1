"""A VideoJob's life on a real API server: the operator with its real rights, the Job controller, a kubelet of straw."""

from __future__ import annotations

import json

import pytest

from devcluster.cluster.kubectl import KubectlError
from tests.apiserver.operator.fake_kubelet import DIGEST, FakeKubelet, termination_message
from tests.apiserver.operator.operator_process import RELEASE, SYSTEM, OperatorProcess
from tests.e2e.kube import Kube, Manifest, condition, has_succeeded, is_over
from tests.e2e.manifests import videojob

pytestmark = pytest.mark.apiserver
TYPES = {
    "Accepted",
    "Running",
    "OutputPublished",
    "Succeeded",
    "Suspended",
    "ProgressReporting",
    "Reconciling",
    "Stalled",
}


@pytest.fixture
def kube(plant: OperatorProcess, space: str) -> Kube:
    return Kube(plant.cluster.kubectl, space)


@pytest.fixture
def kubelet(kube: Kube) -> FakeKubelet:
    return FakeKubelet(kube)


def test_a_videojob_becomes_a_job_that_it_owns(kube: Kube) -> None:
    kube.apply(videojob("sunset"))
    seen = kube.until("vj", "sunset", lambda vj: condition(vj, "Reconciling").get("status") == "False", timeout=30)
    [owner] = kube.get("job", "sunset-1")["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("VideoJob", seen["metadata"]["uid"], True)
    assert {item["type"] for item in seen["status"]["conditions"]} == TYPES
    assert seen["status"]["observedGeneration"] == seen["metadata"]["generation"]
    assert seen["status"]["jobName"] == "sunset-1"
    managers = {entry["manager"]: entry["fieldsV1"] for entry in with_managers(kube)["managedFields"]}
    assert "f:conditions" in managers["videojobs.dev-controller"]["f:status"]
    assert not {"f:spec", "f:metadata"} & set(managers["videojobs.dev-controller"])


def with_managers(kube: Kube) -> Manifest:
    """The metadata that kubectl hides."""
    found = json.loads(kube.run("get", "vj", "sunset", "-o", "json", "--show-managed-fields"))
    return dict(found["metadata"])


def test_published_output_is_success(kube: Kube, kubelet: FakeKubelet) -> None:
    kube.apply(videojob("sunset"))
    pod = kubelet.pod_of("sunset")
    kubelet.starts(pod)
    running = kube.until("vj", "sunset", lambda vj: condition(vj, "Running").get("status") == "True", timeout=30)
    kubelet.ends(pod, code=0, words=termination_message(running["metadata"]["uid"], published=True))
    end = kube.until("vj", "sunset", is_over, timeout=30)
    assert has_succeeded(end)
    assert end["status"]["output"] == {
        "url": "pvc://videos/",
        "manifestDigest": DIGEST,
        "frames": 12,
        "bytes": 3456,
        "videos": ["sunset.mp4"],
    }
    assert end["status"]["progress"]["percent"] == 100
    kinds = kube.run("get", "events.events.k8s.io", "-o", "jsonpath={.items[*].regarding.kind}").split()
    assert "VideoJob" in kinds


def test_exit_code_zero_without_evidence_is_no_success(kube: Kube, kubelet: FakeKubelet) -> None:
    kube.apply(videojob("sunset"))
    pod = kubelet.pod_of("sunset")
    kubelet.starts(pod)
    kubelet.ends(pod, code=0)
    end = kube.until("vj", "sunset", is_over, timeout=30)
    verdict = condition(end, "Succeeded")
    assert (verdict["status"], verdict["reason"]) == ("False", "OutputNotPublished")
    assert condition(end, "Stalled")["status"] == "True"


def test_a_bad_config_fails_at_once_whatever_the_retry_limit(kube: Kube, kubelet: FakeKubelet) -> None:
    kube.apply(videojob("sunset", retry={"limit": 5}))
    pod = kubelet.pod_of("sunset")
    kubelet.starts(pod)
    kubelet.ends(pod, code=64)
    end = kube.until("vj", "sunset", is_over, timeout=30)
    assert condition(end, "Succeeded")["reason"] == "BadConfig"
    assert end["status"]["attempt"] == 1


def test_suspend_takes_the_pod_away_and_resume_brings_another(kube: Kube, kubelet: FakeKubelet) -> None:
    kube.apply(videojob("sunset"))
    first = kubelet.pod_of("sunset")
    kube.patch("vj", "sunset", {"spec": {"suspend": True}})
    kube.until("vj", "sunset", lambda vj: condition(vj, "Suspended").get("status") == "True", timeout=30)
    kube.until_gone("pods", selector="videojobs.dev/name=sunset", timeout=30)
    assert kube.get("job", "sunset-1")["spec"]["suspend"] is True
    kube.patch("vj", "sunset", {"spec": {"suspend": False}})
    second = kubelet.pod_of("sunset")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    resumed = kube.until("vj", "sunset", lambda vj: condition(vj, "Suspended").get("status") == "False", timeout=30)
    assert condition(resumed, "Succeeded")["status"] == "Unknown"


def test_a_deleted_videojob_takes_its_job_along_for_good(kube: Kube, kubelet: FakeKubelet) -> None:
    kube.apply(videojob("sunset"))
    kubelet.pod_of("sunset")
    kube.delete("vj", "sunset")
    kube.until_gone("jobs", selector="videojobs.dev/name=sunset", timeout=60)
    kube.until_gone("pods", selector="videojobs.dev/name=sunset", timeout=60)
    assert kube.items("jobs", selector="videojobs.dev/name=sunset") == []


def test_a_pod_that_the_api_server_goes_on_refusing_is_told_in_the_verdict(kube: Kube) -> None:
    kube.apply(videojob("sunset", pod={"runtimeClassName": "nowhere"}))
    end = kube.until("vj", "sunset", is_over, timeout=60)
    verdict = condition(end, "Succeeded")
    assert verdict["reason"] == "PodRefused"
    assert 'RuntimeClass "nowhere" not found' in verdict["message"]
    kube.until_gone("jobs", selector="videojobs.dev/name=sunset", timeout=60)


def test_a_used_up_quota_is_waited_for_and_the_job_runs_once_there_is_room(
    kube: Kube, kubelet: FakeKubelet, plant: OperatorProcess
) -> None:
    kube.run("create", "quota", "tight", "--hard=pods=0")
    kube.run("wait", "quota/tight", "--for=jsonpath={.status.hard.pods}=0", "--timeout=30s")
    refusals = plant.metric("informer_objects", kind="Event")
    kube.apply(videojob("sunset"))
    waits = kube.until("vj", "sunset", lambda vj: condition(vj, "Running").get("reason") == "QuotaExceeded", timeout=30)
    assert "exceeded quota: tight" in condition(waits, "Running")["message"]
    assert waits["status"]["state"] == "Pending"
    # Refused three times, the second of them longer ago than the four seconds after which other refusals are a verdict.
    plant.wait_until(
        lambda: plant.metric("informer_objects", kind="Event") >= refusals + 4, what="four refusals", seconds=60
    )
    assert condition(kube.get("vj", "sunset"), "Succeeded")["status"] == "Unknown"
    kube.patch("quota", "tight", {"spec": {"hard": {"pods": "1"}}})
    kubelet.starts(kubelet.pod_of("sunset", timeout=90))
    kube.until("vj", "sunset", lambda vj: vj["status"]["state"] == "Running", timeout=30)


def test_somebody_elses_job_of_that_name_is_left_alone_and_told(kube: Kube) -> None:
    kube.run("create", "job", "sunset-1", "--image=busybox")
    kube.apply(videojob("sunset"))
    taken = kube.until("vj", "sunset", lambda vj: "sunset-1" in str(condition(vj, "Reconciling")), timeout=30)
    assert "JobNameTaken" in json.dumps(taken["status"]["conditions"])
    assert "ownerReferences" not in kube.get("job", "sunset-1")["metadata"]


def test_a_videojob_of_another_controller_is_left_alone(kube: Kube, plant: OperatorProcess) -> None:
    kube.apply(videojob("theirs", managedBy="example.com/other"), videojob("ours"))
    kube.until("vj", "ours", lambda vj: "jobName" in vj.get("status", {}), timeout=30)
    assert "state" not in kube.get("vj", "theirs").get("status", {})
    assert kube.items("jobs", selector="videojobs.dev/name=theirs") == []


def test_a_restart_without_changes_writes_nothing(kube: Kube, kubelet: FakeKubelet, plant: OperatorProcess) -> None:
    kube.apply(videojob("waits"), videojob("over"))
    kubelet.ends(kubelet.pod_of("over"), code=64)
    kubelet.pod_of("waits")
    kube.until("vj", "over", is_over, timeout=30)
    kube.until("vj", "waits", lambda vj: vj["status"].get("attempt") == 1, timeout=30)
    assert plant.stop() == 0
    versions = {name: kube.get("vj", name)["metadata"]["resourceVersion"] for name in ("waits", "over")}
    plant.start()
    plant.wait_until(lambda: plant.metric("reconcile_seconds_count", result="done") >= 2, what="both were looked at")
    assert {name: kube.get("vj", name)["metadata"]["resourceVersion"] for name in versions} == versions


def test_what_happens_while_the_operator_is_away_is_made_good(
    kube: Kube, kubelet: FakeKubelet, plant: OperatorProcess
) -> None:
    kube.apply(videojob("sunset"))
    pod = kubelet.pod_of("sunset")
    kubelet.starts(pod)
    uid = kube.get("vj", "sunset")["metadata"]["uid"]
    plant.stop()
    kubelet.ends(pod, code=0, words=termination_message(uid, published=True))
    kube.run("wait", "job/sunset-1", "--for=condition=Complete", "--timeout=30s")
    kube.apply(videojob("new"))
    plant.start()
    assert has_succeeded(kube.until("vj", "sunset", is_over, timeout=30))
    kube.until("vj", "new", lambda vj: vj.get("status", {}).get("jobName") == "new-1", timeout=30)


FORBIDDEN = [
    ("get", "secrets", "-n", "default"),
    ("list", "secrets", "-A"),
    ("get", "secret/other", "-n", SYSTEM),
    ("delete", f"secret/{RELEASE}-tls", "-n", SYSTEM),
    ("create", "pods", "-n", "default"),
    ("get", "pods", "--subresource=log", "-n", "default"),
    ("create", "pods", "--subresource=exec", "-n", "default"),
    ("update", "videojobs", "-n", "default"),
    ("delete", "videojobs", "-n", "default"),
    ("list", "nodes"),
    ("list", "namespaces"),
    ("list", "customresourcedefinitions"),
]


def may(plant: OperatorProcess, *request: str) -> bool:
    """Whether the API server would let the operator's account do this."""
    try:
        answer = plant.cluster.kubectl("auth", "can-i", *request, f"--as=system:serviceaccount:{SYSTEM}:{RELEASE}")
    except KubectlError:
        return False
    return answer.strip() == "yes"


def test_the_operator_may_do_nothing_that_it_does_not_need(plant: OperatorProcess) -> None:
    assert may(plant, "create", "jobs", "-n", "default")
    assert [request for request in FORBIDDEN if may(plant, *request)] == []


def test_the_operator_is_healthy_and_had_no_unexpected_error(plant: OperatorProcess) -> None:
    assert plant.probe("healthz") == (200, "ok")
    assert plant.metric("reconcile_panics_total") == 0
    assert plant.metric("api_requests_total", verb="GET", kind="VideoJob", code="403") == 0
    assert "Traceback" not in plant.log.read_text()

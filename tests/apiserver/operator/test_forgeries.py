"""Forged reports against the real endpoint, the real API server and real tokens: a code, a count, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

import devcluster
from devcluster.host.wait import wait_until
from tests.apiserver.operator.fake_kubelet import FakeKubelet
from tests.apiserver.operator.operator_process import OperatorProcess
from tests.apiserver.operator.tokens import TokenMint, audience, idle_pod, tamper
from tests.e2e.kube import Kube, Manifest, condition
from tests.e2e.manifests import videojob

pytestmark = pytest.mark.apiserver


@dataclass
class Stage:
    """Two jobs with their pods, in one namespace, and a stranger's pod beside them."""

    plant: OperatorProcess
    kube: Kube
    tokens: TokenMint
    victim: Manifest
    victim_pod: str
    other: Manifest
    other_pod: str

    @property
    def version(self) -> str:
        """The victim's resourceVersion now."""
        return str(self.kube.get("vj", "victim")["metadata"]["resourceVersion"])

    def honest(self) -> str:
        """The token of the victim's own agent."""
        return self.tokens.bound_to(self.victim_pod, audience=audience(self.victim))


@pytest.fixture(scope="module")
def stage(cluster: devcluster.ApiServer, plant: OperatorProcess) -> Iterator[Stage]:
    with cluster.kubectl.namespace() as name:
        kube = Kube(cluster.kubectl, name)
        kube.run("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
        kube.apply(videojob("victim"), videojob("other"))
        kubelet, pods = FakeKubelet(kube), {}
        for job in ("victim", "other"):
            pods[job] = kubelet.pod_of(job)
            kubelet.starts(pods[job])
            kube.until("vj", job, lambda vj: condition(vj, "Running").get("status") == "True", timeout=30)
        kube.apply(idle_pod("stranger"), idle_pod("short-lived"))
        # A pod that says nothing is noted after a while: the last write that is the operator's own.
        kube.until("vj", "victim", lambda vj: condition(vj, "ProgressReporting").get("status") == "False", timeout=30)
        names = {job: pod["metadata"]["name"] for job, pod in pods.items()}
        victim, other = kube.get("vj", "victim"), kube.get("vj", "other")
        yield Stage(plant, kube, TokenMint(kube), victim, names["victim"], other, names["other"])


def other_jobs_token(stage: Stage) -> str:
    return stage.tokens.bound_to(stage.other_pod, audience=audience(stage.other))


def wrong_audience(stage: Stage) -> str:
    return stage.tokens.bound_to(stage.victim_pod, audience="https://kubernetes.default.svc")


def deleted_pods_token(stage: Stage) -> str:
    token = stage.tokens.bound_to("short-lived", audience=audience(stage.victim))
    stage.kube.delete("pod", "short-lived")
    return token


def home_made(stage: Stage) -> str:
    return stage.tokens.bound_to("stranger", audience=audience(stage.victim))


def without_a_pod(stage: Stage) -> str:
    return stage.tokens.unbound(audience=audience(stage.victim))


def for_the_victim_by_the_others_pod(stage: Stage) -> str:
    return stage.tokens.bound_to(stage.other_pod, audience=audience(stage.victim))


def expired(stage: Stage) -> str:
    return tamper(stage.honest(), exp=1_600_000_000)


def signature_off(stage: Stage) -> str:
    return tamper(stage.honest(), jti="another")


def malformed(stage: Stage) -> str:
    return "not.a-token"


FORGERIES: dict[str, tuple[Callable[[Stage], str], int]] = {
    "the other job's token": (other_jobs_token, 401),
    "a token for another audience": (wrong_audience, 401),
    "a token of a deleted pod": (deleted_pods_token, 401),
    "a home-made token for a stranger's pod": (home_made, 403),
    "a home-made token without a pod": (without_a_pod, 403),
    "a token for the victim by the other job's pod": (for_the_victim_by_the_others_pod, 403),
    "an expired token": (expired, 401),
    "a token whose signature does not fit": (signature_off, 401),
    "a malformed token": (malformed, 401),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_report_costs_a_count_and_changes_nothing(name: str, stage: Stage) -> None:
    forge, code = FORGERIES[name]
    token, version = forge(stage), stage.version
    before = stage.plant.metric("videojob_status_requests_total", code=str(code))
    answer = stage.plant.post(stage.victim, token=token, sequence=10_000, state="done", percent=100)
    assert answer.code == code, answer.body
    assert stage.plant.metric("videojob_status_requests_total", code=str(code)) == before + 1
    assert stage.version == version


def test_a_megabyte_is_refused_even_with_the_right_token(stage: Stage) -> None:
    version = stage.version
    before = stage.plant.metric("videojob_status_requests_total", code="413")
    assert stage.plant.post(stage.victim, token=stage.honest(), body=b" " * 1_000_000).code == 413
    assert stage.plant.metric("videojob_status_requests_total", code="413") == before + 1
    assert stage.version == version


def test_an_honest_report_is_in_the_status_within_a_moment(stage: Stage) -> None:
    answer = stage.plant.post(stage.victim, token=stage.honest(), sequence=1, percent=7, framesDone=3, framesTotal=40)
    assert answer.code == 204
    shown = stage.kube.until("vj", "victim", lambda vj: "progress" in vj["status"], timeout=10)
    progress = shown["status"]["progress"]
    assert (progress["percent"], progress["frames"], progress["source"]) == (7, "3/40", "push")
    # Counted once the API server has answered, which is after the watch has shown the status.
    wait_until("a sample of the lag", lambda: stage.plant.metric("videojob_progress_lag_seconds_count") >= 1, seconds=5)


def test_a_flood_is_slowed_and_what_was_taken_is_written_together(stage: Stage) -> None:
    token = other_jobs_token(stage)
    codes = [stage.plant.post(stage.other, token=token, sequence=number, percent=number).code for number in range(1, 9)]
    assert codes.count(204) >= 3
    assert 429 in codes
    refused = stage.plant.post(stage.other, token=token, sequence=50, percent=50)
    assert int(refused.headers["Retry-After"]) >= 1


def test_a_replay_after_the_job_was_made_anew_is_refused(stage: Stage) -> None:
    token = other_jobs_token(stage)
    stage.kube.delete("vj", "other")
    stage.kube.apply(videojob("other"))
    anew = stage.kube.until("vj", "other", lambda vj: "jobName" in vj.get("status", {}), timeout=60)
    before = stage.plant.metric("videojob_status_requests_total", code="404")
    answer = stage.plant.post(stage.other, token=token, sequence=99, percent=99)
    assert answer.code in (401, 404)
    assert answer.code == 401 or stage.plant.metric("videojob_status_requests_total", code="404") == before + 1
    assert anew["metadata"]["uid"] != stage.other["metadata"]["uid"]
    assert "progress" not in stage.kube.get("vj", "other")["status"]


def test_a_suspended_jobs_version_stays_whatever_is_forged(stage: Stage) -> None:
    """Nothing honest happens to a suspended job, so any change of its version would be a forgery's."""
    stage.kube.patch("vj", "victim", {"spec": {"suspend": True}})
    stage.kube.until_gone("pods", selector="videojobs.dev/name=victim", timeout=30)
    stage.kube.until("vj", "victim", lambda vj: condition(vj, "Suspended").get("status") == "True", timeout=30)
    version = stage.version
    for forge in (wrong_audience_of_a_stranger, home_made, without_a_pod, malformed):
        stage.plant.post(stage.victim, token=forge(stage), sequence=10_000, percent=100)
    assert stage.version == version


def wrong_audience_of_a_stranger(stage: Stage) -> str:
    return stage.tokens.bound_to("stranger", audience="https://kubernetes.default.svc")

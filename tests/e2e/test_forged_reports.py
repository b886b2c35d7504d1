"""
Eight forged reports: each gets its HTTP code, moves the metric by one, and leaves the status untouched.

The requests go from inside the cluster, as an attacker's would: from a pod of the same namespace.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.e2e.environment import E2eEnvironment
from tests.e2e.kube import Kube, Manifest, condition
from tests.e2e.manifests import videojob
from tests.e2e.rogue_pod import RoguePod, audience


@dataclass(frozen=True)
class Stage:
    """Two running jobs, and a pod that speaks to the endpoint."""

    victim: Manifest
    other: Manifest
    intruder: RoguePod


@pytest.fixture(scope="module")
def stage(lab: E2eEnvironment, kube: Kube) -> Stage:
    """Victim and other job run long enough for all cases on any machine: nobody waits for their end."""
    kube.apply(videojob("victim", test={"durationSeconds": 900}), videojob("other", test={"durationSeconds": 900}))
    running = [kube.until("vj", name, is_running, timeout=60) for name in ("victim", "other")]
    return Stage(running[0], running[1], RoguePod.start(kube, image=lab.images["operator"]))


def is_running(job: Manifest) -> bool:
    """Whether the runner has started and reported."""
    return condition(job, "Running").get("status") == "True" and "progress" in job["status"]


def body(job: Manifest) -> str:
    """A report that would finish the job at once."""
    report = {"uid": job["metadata"]["uid"], "sequence": 10_000, "state": "done", "percent": 100}
    return json.dumps(report | {"observedTime": "2030-01-01T00:00:00Z", "message": "forged"})


def expired(token: str) -> str:
    """The same token with its `exp` in the past: the signature no longer fits either."""
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps(claims | {"exp": 1_600_000_000}).encode()).decode().rstrip("=")
    return f"{head}.{forged}.{signature}"


def other_jobs_token(stage: Stage) -> str:
    return stage.intruder.token_of(stage.other)


def wrong_audience(stage: Stage) -> str:
    return stage.intruder.forge_token("https://kubernetes.default.svc")


def home_made(stage: Stage) -> str:
    return stage.intruder.forge_token(audience(stage.victim))


def deleted_pods_token(stage: Stage) -> str:
    return stage.intruder.token_of_a_deleted_pod(audience(stage.victim))


def expired_token(stage: Stage) -> str:
    return expired(stage.intruder.token_of(stage.victim))


def malformed(stage: Stage) -> str:
    return "not.a-token"


FORGERIES: dict[str, tuple[Callable[[Stage], str], int]] = {
    "the other job's token": (other_jobs_token, 401),
    "a token for the wrong audience": (wrong_audience, 401),
    "a token of a deleted pod": (deleted_pods_token, 401),
    "a home-made token of the same namespace": (home_made, 403),
    "an expired token": (expired_token, 401),
    "a malformed token": (malformed, 401),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_report_changes_nothing(name: str, stage: Stage, kube: Kube) -> None:
    make, code = FORGERIES[name]
    token = make(stage)
    before = rejected(stage.intruder, code)
    assert stage.intruder.post(stage.victim, token=token, body=body(stage.victim)) == code
    assert rejected(stage.intruder, code) == before + 1
    assert kube.get("vj", "victim")["status"]["progress"]["message"] != "forged"


def test_a_megabyte_is_refused_at_the_door(stage: Stage) -> None:
    before = rejected(stage.intruder, 413)
    token = stage.intruder.token_of(stage.victim)
    assert stage.intruder.post(stage.victim, token=token, body=" " * 1_000_000) == 413
    assert rejected(stage.intruder, 413) == before + 1


def test_a_replay_after_the_job_was_made_anew_is_refused(stage: Stage, kube: Kube) -> None:
    old, token = stage.other, stage.intruder.token_of(stage.other)
    kube.delete("vj", "other")
    kube.apply(videojob("other", test={"durationSeconds": 60}))
    anew = kube.until("vj", "other", is_running, timeout=90)
    code = stage.intruder.post(old, token=token, body=body(old))
    assert code in (401, 404)
    assert kube.get("vj", "other")["metadata"]["uid"] == anew["metadata"]["uid"]
    assert kube.get("vj", "other")["status"]["progress"]["message"] != "forged"


def test_forgeries_leave_the_resource_version_alone(stage: Stage, kube: Kube) -> None:
    """A suspended job has no honest reports, so any change of its version would be the forgery's."""
    kube.patch("vj", "victim", {"spec": {"suspend": True}})
    kube.until("vj", "victim", lambda job: condition(job, "Suspended").get("status") == "True", timeout=60)
    kube.until_gone("pods", selector="videojobs.dev/name=victim", timeout=60)
    before = kube.get("vj", "victim")
    for name, (make, code) in FORGERIES.items():
        if make not in (expired_token,):  # needs a living pod of the victim; asked above
            assert stage.intruder.post(before, token=make(stage), body=body(before)) == code, name
    assert kube.get("vj", "victim")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def rejected(intruder: RoguePod, code: int) -> float:
    """The endpoint's count of answers with this code."""
    found = re.search(rf'^videojob_status_requests_total{{code="{code}"}} (\S+)$', intruder.metrics(), re.MULTILINE)
    return float(found.group(1)) if found else 0.0

"""Ownership: the pod behind a token must be the current pod of this very VideoJob."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from videojob_api.messages.report import ProgressState, Report
from videojob_operator.cache.informer import Informer
from videojob_operator.cache.reports import ReportBuffer
from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.observation.observed import ObservedJob, ObservedPod
from videojob_operator.domain.observation.projection import project_job, project_pod
from videojob_operator.kube.kinds import JOBS, PODS
from videojob_operator.reports.authenticator import Principal, ReportTarget
from videojob_operator.reports.handler import JobReportHandler
from videojob_operator.reports.rejections import ReportRejected
from videojob_operator.workqueue import ObjectKey, WorkQueue

from tests.unit.operator.fakes import RecordingApi, metrics
from tests.unit.operator.raw_objects import Raw, raw_job, raw_pod, raw_videojob

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUNSET = ReportTarget("art", "sunset", "uid-1")
HONEST = Principal("art", "default", "sunset-1-x", "pod-1")


class Registry:
    """A desk over caches with one VideoJob, its Job and its pod."""

    def __init__(self) -> None:
        api, counters = RecordingApi(), metrics()
        self.videojobs = VideoJobCache(api, lambda key: None)
        common: dict[str, Any] = {
            "on_change": lambda kept: None,
            "metrics": counters,
        }
        self.jobs: Informer[ObservedJob] = Informer(
            api, JOBS, project=project_job, index=lambda kept: kept.projection.name, **common
        )
        self.pods: Informer[ObservedPod] = Informer(
            api, PODS, project=project_pod, index=lambda kept: kept.projection.job_uid, **common
        )
        self.queue = WorkQueue(counters)
        self.desk = JobReportHandler(self.videojobs, self.jobs, self.pods, ReportBuffer(), self.queue, now=lambda: NOON)
        self.videojobs.on_watch_event(raw_videojob(), deleted=False)
        self.jobs.put(raw_job())
        self.pods.put(raw_pod())

    def refusal(self, principal: Principal = HONEST, target: ReportTarget = SUNSET) -> tuple[int, str]:
        with pytest.raises(ReportRejected) as caught:
            self.desk.authorize(principal, target)
        return caught.value.code, caught.value.reason


def test_the_jobs_own_pod_is_let_in() -> None:
    assert Registry().desk.authorize(HONEST, SUNSET).uid == "pod-1"


def verdict(status: str) -> dict[str, Any]:
    condition = {"type": "Succeeded", "status": status, "reason": "x", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {"conditions": [condition]}


def ended(finished: str | None) -> dict[str, Any]:
    state = {"terminated": {"exitCode": 0, "finishedAt": finished}}
    return {"phase": "Succeeded", "containerStatuses": [{"name": "runner", "state": state}]}


CASES: dict[str, tuple[Callable[[Registry], Any], tuple[int, str]]] = {
    "no such job": (lambda r: r.videojobs.remove(ObjectKey("art", "sunset")), (404, "NoSuchJob")),
    "a job made anew": (
        lambda r: r.videojobs.on_watch_event(raw_videojob(uid="uid-2"), deleted=False),
        (404, "NoSuchJob"),
    ),
    "a job with its verdict": (
        lambda r: r.videojobs.on_watch_event(raw_videojob(version="8", status=verdict("False")), deleted=False),
        (409, "JobIsOver"),
    ),
    "an unknown pod": (lambda r: r.pods.store.remove("pod-1"), (403, "NotThePod")),
    "a pod without a known job": (lambda r: r.jobs.store.remove("job-1"), (403, "NotThePod")),
    "a pod of another job": (lambda r: r.pods.put(raw_pod(job="job-2")), (403, "NotThePod")),
    "a job of another videojob": (lambda r: r.jobs.put(raw_job(owner="uid-0")), (403, "NotThePod")),
    "a job that is not the current one": (lambda r: r.jobs.put(raw_job("sunset-0")), (403, "NotThePod")),
    "a pod that ended two minutes ago": (
        lambda r: r.pods.put(raw_pod(status=ended("2026-01-01T11:58:00Z"))),
        (403, "PodEnded"),
    ),
    "a pod that ended nobody knows when": (lambda r: r.pods.put(raw_pod(status=ended(None))), (403, "PodEnded")),
}


@pytest.mark.parametrize("name", CASES)
def test_who_does_not_own_the_job_is_turned_away(name: str) -> None:
    change, expected = CASES[name]
    registry = Registry()
    change(registry)
    assert registry.refusal() == expected


def test_a_pod_of_the_same_namespace_is_not_enough() -> None:
    registry = Registry()
    registry.pods.put(raw_pod("intruder", uid="pod-9", job=""))
    assert registry.refusal(Principal("art", "default", "intruder", "pod-9")) == (403, "NotThePod")


def aged(raw: Raw, *, second: int, **meta: str) -> Raw:
    """The same object, created at another second."""
    return raw | {"metadata": raw["metadata"] | {"creationTimestamp": f"2026-01-01T00:00:{second:02}Z"} | meta}


def test_a_pod_that_claims_the_job_is_not_believed_beside_the_jobs_own() -> None:
    registry = Registry()
    registry.pods.put(aged(raw_pod("claimant", uid="pod-9"), second=30))
    assert registry.refusal(Principal("art", "default", "claimant", "pod-9")) == (403, "NotThePod")
    assert registry.desk.authorize(HONEST, SUNSET).uid == "pod-1"


def test_a_replacement_is_believed_once_the_first_pod_has_ended() -> None:
    registry = Registry()
    registry.pods.put(aged(raw_pod("second", uid="pod-2"), second=30))
    registry.pods.put(raw_pod(version="10", status={"phase": "Failed"}))
    assert registry.desk.authorize(Principal("art", "default", "second", "pod-2"), SUNSET).uid == "pod-2"


def test_a_pod_of_another_namespace_cannot_claim_the_job() -> None:
    registry = Registry()
    registry.pods.store.remove("pod-1")
    registry.pods.put(aged(raw_pod(), second=2, namespace="night"))
    assert registry.refusal() == (403, "NotThePod")


def test_the_name_in_the_token_must_be_the_pods() -> None:
    assert Registry().refusal(Principal("art", "default", "other", "pod-1")) == (403, "NotThePod")


def test_a_pod_that_ended_a_moment_ago_may_say_its_last_words() -> None:
    registry = Registry()
    registry.pods.put(raw_pod(status=ended("2026-01-01T11:59:30Z")))
    assert registry.desk.authorize(HONEST, SUNSET)


def test_a_running_verdict_is_none() -> None:
    registry = Registry()
    registry.videojobs.on_watch_event(raw_videojob(version="8", status=verdict("Unknown")), deleted=False)
    assert registry.desk.authorize(HONEST, SUNSET)


def test_an_accepted_report_wakes_the_loop_and_an_old_one_is_out_of_date() -> None:
    registry = Registry()
    pod = registry.desk.authorize(HONEST, SUNSET)
    report = Report(uid="uid-1", sequence=1, state=ProgressState.RUNNING, observed_time=NOON)
    registry.desk.accept(pod, SUNSET, report)
    assert registry.queue.try_get() == ObjectKey("art", "sunset")
    with pytest.raises(ReportRejected) as caught:
        registry.desk.accept(pod, SUNSET, report)
    assert (caught.value.code, caught.value.reason) == (409, "OutOfDate")

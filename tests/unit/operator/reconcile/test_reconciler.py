"""The loop over a recording API: from a key to the writes, and what happens when they fail."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from videojob_api.messages.report import ProgressState, Report
from videojob_operator.cache.creations import JobCreations
from videojob_operator.cache.informer import Informer
from videojob_operator.cache.observer import Observer
from videojob_operator.cache.reports import ReportBuffer
from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.observation.observed import ObservedJob, ObservedPod, PodRefusal
from videojob_operator.domain.observation.projection import project_job, project_pod, project_refusal
from videojob_operator.domain.settings import ReconcileSettings
from videojob_operator.kube.errors import ApiError, Forbidden, Invalid, Unreachable
from videojob_operator.kube.kinds import EVENTS, JOBS, PODS, VIDEOJOBS
from videojob_operator.reconcile.event_recorder import EventRecorder
from videojob_operator.reconcile.executor import DecisionExecutor
from videojob_operator.reconcile.reconciler import CONFLICT_REQUEUE_SECONDS, Reconciler
from videojob_operator.reconcile.transitions import TransitionMetrics
from videojob_operator.workqueue import ObjectKey, WorkQueue

from tests.support.clock import ManualClock
from tests.unit.operator.fakes import RecordingApi, metric_value, metrics
from tests.unit.operator.raw_objects import raw_job, raw_pod, raw_refusal, raw_videojob

SUNSET = ObjectKey("art", "sunset")
SETTINGS = ReconcileSettings(agent_image="a", runner_image="r", endpoint="https://videojob.system.svc:8443")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Works:
    """Everything between the queue and the API, with one VideoJob there."""

    def __init__(self) -> None:
        self.api, self.metrics, self.clock = RecordingApi(), metrics(), ManualClock()
        self.now = NOON
        self.queue = WorkQueue(self.metrics, clock=self.clock, jitter=lambda: 0.0)
        self.videojobs = VideoJobCache(self.api, self.queue.add)
        common: dict[str, Any] = {"on_change": lambda kept: self.queue.add(SUNSET), "metrics": self.metrics}
        self.jobs: Informer[ObservedJob] = Informer(
            self.api, JOBS, project=project_job, index=lambda kept: (kept.namespace, kept.projection.name), **common
        )
        self.pods: Informer[ObservedPod] = Informer(
            self.api, PODS, project=project_pod, index=lambda kept: kept.projection.job_uid, **common
        )
        self.refusals: Informer[PodRefusal] = Informer(
            self.api, EVENTS, project=project_refusal, index=lambda kept: kept.projection.job_uid, **common
        )
        self.slots, self.notes = ReportBuffer(clock=self.clock, now=lambda: self.now), JobCreations()
        self.picture = Observer(
            self.api,
            self.videojobs,
            self.jobs,
            self.pods,
            self.refusals,
            self.notes,
            self.slots,
            now=lambda: self.now,
        )
        events = EventRecorder(self.api, self.metrics, instance="test")
        hand = DecisionExecutor.create(
            self.api, self.videojobs, self.jobs, events, creations=self.notes, metrics=self.metrics
        )
        self.loop = Reconciler(
            self.queue,
            self.picture,
            hand,
            lambda: SETTINGS,
            TransitionMetrics(self.metrics, self.picture.evict, now=lambda: self.now),
            self.metrics,
            now=lambda: self.now,
        )
        spec = raw_videojob()["spec"] | {"runner": {"accelerator": "None"}}
        created = {"creationTimestamp": "2026-01-01T12:00:00Z"}
        raw = raw_videojob(spec=spec)
        self.videojobs.on_watch_event(
            self.api.add(VIDEOJOBS, raw | {"metadata": raw["metadata"] | created}), deleted=False
        )

    async def settle(self) -> None:
        """Looks until nothing wants a look."""
        while (key := self.queue.try_get()) is not None:
            self.queue.done(key, requeue_after=await self.loop.reconcile(key))

    async def work(self) -> None:
        """Runs the real workers until the queue is empty."""
        task = asyncio.create_task(self.loop.run())
        while self.queue.oldest_age():
            self.clock.forward(0.001)
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def status(self) -> dict[str, Any]:
        return dict(self.api.objects[VIDEOJOBS, "art", "sunset"].get("status", {}))


async def test_a_new_videojob_gets_a_status_and_a_job_and_then_nothing_more() -> None:
    works = Works()
    await works.settle()
    assert (JOBS, "art", "sunset-1") in works.api.objects
    assert works.status()["jobName"] == "sunset-1"
    writes = len(works.api.calls)
    works.queue.add(SUNSET)
    await works.settle()
    assert len(works.api.calls) == writes


async def test_a_report_reaches_the_status_through_the_slot() -> None:
    works = Works()
    await works.settle()
    works.jobs.put(works.api.objects[JOBS, "art", "sunset-1"])
    uid = works.api.objects[JOBS, "art", "sunset-1"]["metadata"]["uid"]
    works.pods.put(raw_pod(job=uid))
    [pod] = works.pods.store.by_index(uid)
    report = Report(uid="uid-1", sequence=1, state=ProgressState.RUNNING, percent=40, observed_time=NOON)
    works.slots.put("uid-1", report, pod)
    works.queue.add(SUNSET)
    works.now += timedelta(seconds=3)
    await works.settle()
    assert works.status()["progress"]["percent"] == 40
    assert works.metrics.registry.get_sample_value("videojob_progress_lag_seconds_sum") == 3


async def test_a_waiting_report_brings_the_key_back_in_time() -> None:
    works = Works()
    await works.settle()
    job = works.api.objects[JOBS, "art", "sunset-1"]
    works.pods.put(raw_pod(job=job["metadata"]["uid"]))
    [pod] = works.pods.store.by_index(job["metadata"]["uid"])
    for sequence in (1, 2):
        report = Report(
            uid="uid-1", sequence=sequence, state=ProgressState.RUNNING, percent=sequence, observed_time=NOON
        )
        works.slots.put("uid-1", report, pod)
    works.queue.add(SUNSET)
    await works.settle()
    assert works.status()["progress"]["percent"] == 1
    works.clock.forward(2)
    await works.settle()
    assert works.status()["progress"]["percent"] == 2


async def test_a_deleted_videojob_is_forgotten_everywhere() -> None:
    works = Works()
    await works.settle()
    works.notes.get("uid-1").api_warnings = ("something",)
    works.videojobs.remove(SUNSET)
    await works.settle()
    assert works.notes.get("uid-1").api_warnings == ()


async def test_a_conflict_reads_the_newest_state_and_looks_again_soon() -> None:
    works = Works()
    works.api.add(VIDEOJOBS, raw_videojob(spec=raw_videojob()["spec"] | {"runner": {"accelerator": "None"}}))
    works.queue.try_get()
    again = await works.loop.reconcile(SUNSET)
    assert again == CONFLICT_REQUEUE_SECONDS
    assert works.api.verbs() == ["apply_status", "get"]
    works.queue.done(SUNSET, requeue_after=again)
    works.clock.forward(CONFLICT_REQUEUE_SECONDS)
    await works.settle()
    assert works.status()["jobName"] == "sunset-1"


async def test_a_videojob_that_vanished_is_removed_and_the_next_look_ends_it() -> None:
    works = Works()
    works.api.objects.clear()
    works.queue.try_get()
    assert await works.loop.reconcile(SUNSET) == CONFLICT_REQUEUE_SECONDS
    assert await works.loop.reconcile(SUNSET) is None
    assert works.videojobs.get(SUNSET) is None


async def test_a_status_against_the_schema_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    works = Works()
    works.api.fail["apply_status", VIDEOJOBS] = Invalid("field not declared", status=500)
    works.queue.try_get()
    assert await works.loop.reconcile(SUNSET) is None
    assert "art/sunset" in caplog.text
    assert "field not declared" in caplog.text


@pytest.mark.parametrize(
    ("error", "result"), [(Forbidden("no right", status=403), "failed"), (ApiError("odd"), "failed")]
)
async def test_a_failing_key_waits_and_is_tried_again(error: ApiError, result: str) -> None:
    works = Works()
    works.api.fail["apply_status", VIDEOJOBS] = error
    works.clock.forward(1)
    await works.work()
    assert metric_value(works.metrics, "reconcile_seconds_count", result=result) == 1
    works.clock.forward(1)
    await works.settle()
    assert works.status()["jobName"] == "sunset-1"


async def test_an_error_nobody_foresaw_is_counted_with_its_key_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    works = Works()
    works.api.fail["apply_status", VIDEOJOBS] = ZeroDivisionError("a fault of ours")  # type: ignore[assignment]
    works.clock.forward(1)
    await works.work()
    assert works.metrics.registry.get_sample_value("reconcile_panics_total") == 1
    assert "art/sunset: unexpected error" in caplog.text
    works.clock.forward(1)
    await works.settle()
    assert works.status()["jobName"] == "sunset-1"


async def test_a_job_without_pods_costs_no_call_and_shows_the_events_that_came() -> None:
    works = Works()
    await works.settle()
    uid = works.api.objects[JOBS, "art", "sunset-1"]["metadata"]["uid"]
    calls = len(works.api.calls)
    works.refusals.put(works.api.add(EVENTS, raw_refusal(job=uid)))
    works.refusals.put(works.api.add(EVENTS, raw_refusal("of-another-job", job="other")))
    videojob = works.videojobs.get(SUNSET)
    assert videojob is not None
    observed = await works.picture.observe(videojob)
    assert [refusal.message for refusal in observed.refusals] == [
        'pods "sunset-1-x" is forbidden: exceeded quota: gpus'
    ]
    assert len(works.api.calls) == calls


async def test_the_pods_of_an_ended_job_are_read_once_before_their_silence_counts() -> None:
    works = Works()
    await works.settle()
    uid = works.api.objects[JOBS, "art", "sunset-1"]["metadata"]["uid"]
    exit_ = {"exitCode": 0, "message": "unread"}
    status = {"phase": "Succeeded", "initContainerStatuses": [{"name": "agent", "state": {"terminated": exit_}}]}
    works.api.add(PODS, raw_pod(job=uid, status=status))
    complete = {"conditions": [{"type": "Complete", "status": "True"}]}
    works.jobs.put(raw_job(uid=uid, version="900", status=complete))
    videojob = works.videojobs.get(SUNSET)
    assert videojob is not None
    first, second = await works.picture.observe(videojob), await works.picture.observe(videojob)
    assert [pod.phase for pod in first.pods] == ["Succeeded"]
    assert (first.pods_read, second.pods_read) == (True, True)
    assert [kind for verb, kind, _ in works.api.calls if verb == "list"] == [PODS]


async def test_of_a_videojob_that_is_over_no_pods_are_read() -> None:
    works = Works()
    await works.settle()
    uid = works.api.objects[JOBS, "art", "sunset-1"]["metadata"]["uid"]
    works.jobs.put(raw_job(uid=uid, version="900", status={"conditions": [{"type": "Complete", "status": "True"}]}))
    await works.settle()
    assert works.status()["state"] == "Failed"
    calls = len(works.api.calls)
    for _ in range(2):
        await works.loop.reconcile(SUNSET)
    assert len(works.api.calls) == calls


async def test_where_an_ended_jobs_pods_cannot_be_read_nothing_is_decided() -> None:
    works = Works()
    await works.settle()
    uid = works.api.objects[JOBS, "art", "sunset-1"]["metadata"]["uid"]
    works.jobs.put(raw_job(uid=uid, version="900", status={"conditions": [{"type": "Complete", "status": "True"}]}))
    works.api.fail["list", PODS] = Unreachable("paused")
    with pytest.raises(Unreachable):
        await works.loop.reconcile(SUNSET)
    assert works.status()["state"] != "Failed"


async def test_a_pod_that_is_gone_is_still_observed_as_such() -> None:
    works = Works()
    await works.settle()
    uid = works.api.objects[JOBS, "art", "sunset-1"]["metadata"]["uid"]
    works.pods.put(raw_pod(job=uid))
    works.pods.store.remove("pod-1")
    videojob = works.videojobs.get(SUNSET)
    assert videojob is not None
    observed = await works.picture.observe(videojob)
    assert [(pod.name, pod.deleted) for pod in observed.pods] == [("sunset-1-x", True)]

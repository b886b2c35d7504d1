"""The writing hand: only what differs, only what is fresh, and every refusal in its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from videojob_api.resource.status import Condition, OutputStatus, ProgressStatus, VideoJobStatus
from videojob_operator.cache.creations import JobCreations
from videojob_operator.cache.informer import Informer
from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.decision import (
    Action,
    CreateJob,
    Decision,
    DeleteJob,
    RecordEvent,
    SetActiveDeadline,
    SetSuspend,
)
from videojob_operator.domain.observation.observed import CreationProblem, ObservedJob, ObservedVideoJob
from videojob_operator.domain.observation.projection import project_job, project_videojob
from videojob_operator.kube.errors import ApiError, Conflict, Forbidden, Invalid, NotFound, Unreachable
from videojob_operator.kube.kinds import JOBS, VIDEOJOBS
from videojob_operator.reconcile.event_recorder import EventRecorder
from videojob_operator.reconcile.executor import DecisionExecutor
from videojob_operator.reconcile.status_patcher import CONTROLLER_MANAGER, PROGRESS_MANAGER
from videojob_operator.workqueue import ObjectKey

from tests.unit.operator.fakes import RecordingApi, metric_value, metrics
from tests.unit.operator.raw_objects import raw_job, raw_videojob

SUNSET = ObjectKey("art", "sunset")
ACCEPTED = Condition(
    type="Accepted", status="True", reason="Valid", last_transition_time=datetime(2026, 1, 1, tzinfo=UTC)
)
HALF = ProgressStatus(state="running", percent=50)
CREATE = CreateJob(raw_job())


class Bench:
    """A hand over a recording API that holds one VideoJob."""

    def __init__(self, **more: Any) -> None:
        self.api, self.metrics, self.touched = RecordingApi(), metrics(), list[ObjectKey]()
        self.videojobs = VideoJobCache(self.api, self.touched.append)
        self.videojobs.put(project_videojob(self.api.add(VIDEOJOBS, raw_videojob(**more))))
        self.notes = JobCreations()
        self.jobs: Informer[ObservedJob] = Informer(
            self.api,
            JOBS,
            project=project_job,
            index=lambda kept: kept.projection.name,
            on_change=lambda kept: None,
            metrics=self.metrics,
        )
        self.events = EventRecorder(self.api, self.metrics, instance="test")
        self.hand = DecisionExecutor.create(
            self.api, self.videojobs, self.jobs, self.events, creations=self.notes, metrics=self.metrics
        )
        self.touched.clear()

    @property
    def seen(self) -> ObservedVideoJob:
        found = self.videojobs.get(SUNSET)
        assert found is not None
        return found

    async def do(self, *actions: Action, **status: Any) -> None:
        wanted = self.seen.status.model_copy(update=status)
        await self.hand.execute(self.seen, Decision(wanted, actions))

    def stored(self) -> dict[str, Any]:
        return self.api.objects[VIDEOJOBS, "art", "sunset"]

    def applied(self) -> list[tuple[str, dict[str, Any]]]:
        return [(manager, body["status"]) for manager, body in self.api.bodies("apply_status")]


async def test_a_status_that_is_there_already_is_not_sent() -> None:
    bench = Bench()
    await bench.do()
    assert bench.api.calls == []


async def test_progress_alone_is_written_by_its_own_manager() -> None:
    bench = Bench()
    await bench.do(progress=HALF)
    [(manager, status)] = bench.applied()
    assert manager == PROGRESS_MANAGER
    assert set(status) == {"progress"}
    assert status["progress"]["percent"] == 50


async def test_conclusions_alone_are_written_by_the_controller() -> None:
    bench = Bench(status={"progress": {"state": "running", "percent": 50}})
    await bench.do(conditions=[ACCEPTED])
    [(manager, status)] = bench.applied()
    assert manager == CONTROLLER_MANAGER
    assert "progress" not in status
    assert status["conditions"][0]["type"] == "Accepted"


async def test_what_pods_told_is_written_before_what_follows_from_it() -> None:
    bench = Bench()
    await bench.do(progress=HALF, output=OutputStatus(url="pvc://v/"), conditions=[ACCEPTED])
    assert [(manager, sorted(status)) for manager, status in bench.applied()] == [
        (PROGRESS_MANAGER, ["output", "progress"]),
        (CONTROLLER_MANAGER, ["attempt", "attempts", "conditions", "disruptions", "observedGeneration"]),
    ]


async def test_each_write_carries_the_version_it_was_decided_for() -> None:
    bench = Bench()
    before = bench.stored()["metadata"]["resourceVersion"]
    await bench.do(progress=HALF, conditions=[ACCEPTED])
    versions = [body["metadata"]["resourceVersion"] for _, body in bench.api.bodies("apply_status")]
    assert versions == [before, str(int(before) + 1)]


async def test_the_next_decision_sees_what_was_written() -> None:
    bench = Bench()
    await bench.do(progress=HALF)
    assert bench.seen.status.progress == HALF
    await bench.do(progress=HALF)
    assert len(bench.applied()) == 1


async def test_a_stale_decision_is_refused_and_its_actions_are_left_undone() -> None:
    bench = Bench()
    bench.api.add(VIDEOJOBS, raw_videojob(uid="uid-2"))
    with pytest.raises(Conflict):
        await bench.do(CREATE, conditions=[ACCEPTED])
    assert bench.api.verbs() == ["apply_status"]
    assert "status" not in bench.stored()
    assert (
        metric_value(bench.metrics, "videojob_status_writes_total", manager=CONTROLLER_MANAGER, result="conflict") == 1
    )


async def test_a_created_job_is_known_before_the_watch_brings_it() -> None:
    bench = Bench()
    bench.api.warnings = ("would violate PodSecurity",)
    await bench.do(CREATE)
    assert [job.name for job in bench.jobs.store.by_index("sunset-1")] == ["sunset-1"]
    assert bench.notes.get("uid-1").warnings == ("would violate PodSecurity",)


async def test_our_own_job_of_that_name_counts_as_created() -> None:
    bench = Bench()
    bench.api.add(JOBS, raw_job())
    bench.notes.record_failure("uid-1", CreationProblem("CreateFailed", "earlier"))
    await bench.do(CREATE)
    assert bench.notes.get("uid-1").problem is None
    assert [job.uid for job in bench.jobs.store.by_index("sunset-1")] == ["job-1"]


async def test_somebody_elses_job_of_that_name_is_a_problem() -> None:
    bench = Bench()
    bench.api.add(JOBS, raw_job(owner="uid-0"))
    await bench.do(CREATE)
    problem = bench.notes.get("uid-1").problem
    assert problem is not None
    assert (problem.reason, problem.permanent) == ("JobNameTaken", False)


@pytest.mark.parametrize(
    ("error", "reason", "permanent"),
    [
        (Invalid("spec.template: too long", status=422), "InvalidJob", True),
        (Invalid('admission webhook "w" denied the request: not now', status=400), "CreateFailed", False),
        (Invalid("ValidatingAdmissionPolicy 'p' denied request: no", status=422), "CreateFailed", False),
        (Forbidden("exceeded quota", status=403), "CreateFailed", False),
        (NotFound("no such namespace", status=404), "CreateFailed", False),
        (Unreachable("webhook down", status=500), "CreateFailed", False),
    ],
)
async def test_a_refused_creation_is_kept_and_looked_at_once(error: ApiError, reason: str, permanent: bool) -> None:
    bench = Bench()
    for _ in range(2):
        bench.api.fail["create", JOBS] = type(error)(str(error), status=error.status)
        await bench.do(CREATE)
    assert bench.notes.get("uid-1").problem == CreationProblem(reason, str(error), permanent=permanent)
    assert bench.touched == [SUNSET]


async def test_a_creation_without_any_answer_is_tried_again_by_the_loop() -> None:
    bench = Bench()
    bench.api.fail["create", JOBS] = Unreachable("no connection")
    with pytest.raises(Unreachable):
        await bench.do(CREATE)
    assert bench.notes.get("uid-1").problem is None


async def test_a_job_is_deleted_by_uid_and_a_missing_one_is_fine() -> None:
    bench = Bench()
    bench.api.add(JOBS, raw_job())
    action = DeleteJob("sunset-1", "job-1", "StartDeadlineExceeded")
    await bench.do(action, action)
    assert bench.api.bodies("delete") == [("sunset-1", "job-1")] * 2


async def test_a_job_that_was_made_anew_is_left_alone() -> None:
    bench = Bench()
    bench.api.add(JOBS, raw_job(uid="job-2"))
    await bench.do(DeleteJob("sunset-1", "job-1", "Deadline"))
    assert (JOBS, "art", "sunset-1") in bench.api.objects


async def test_suspending_names_the_job_by_uid_and_is_known_at_once() -> None:
    bench = Bench()
    bench.api.add(JOBS, raw_job())
    await bench.do(SetSuspend("sunset-1", "job-1", suspend=True))
    assert bench.api.bodies("merge") == [{"metadata": {"uid": "job-1"}, "spec": {"suspend": True}}]
    assert [job.suspend for job in bench.jobs.store.by_index("sunset-1")] == [True]


async def test_a_changed_deadline_reaches_the_job_and_none_takes_it_away() -> None:
    bench = Bench()
    bench.api.add(JOBS, raw_job())
    await bench.do(
        SetActiveDeadline("sunset-1", "job-1", seconds=60), SetActiveDeadline("sunset-1", "job-1", seconds=None)
    )
    assert [body["spec"] for body in bench.api.bodies("merge")] == [
        {"activeDeadlineSeconds": 60},
        {"activeDeadlineSeconds": None},
    ]


async def test_suspending_a_job_that_was_made_anew_leaves_the_new_one_alone() -> None:
    bench = Bench()
    bench.api.add(JOBS, raw_job(uid="job-2"))
    await bench.do(SetSuspend("sunset-1", "job-1", suspend=True))
    assert bench.api.objects[JOBS, "art", "sunset-1"]["spec"] == {}


async def test_a_value_that_the_job_refuses_is_an_error() -> None:
    bench = Bench()
    bench.api.add(JOBS, raw_job())
    bench.api.fail["merge", JOBS] = Invalid("activeDeadlineSeconds: must be positive", status=422)
    with pytest.raises(Invalid, match="must be positive"):
        await bench.do(SetActiveDeadline("sunset-1", "job-1", seconds=-1))


async def test_suspending_a_job_that_is_gone_is_fine() -> None:
    await Bench().do(SetSuspend("sunset-1", "job-1", suspend=True))


async def test_actions_follow_in_their_order() -> None:
    bench = Bench()
    bench.api.add(JOBS, raw_job())
    await bench.do(
        DeleteJob("sunset-1", "job-1", "Deadline"),
        RecordEvent("Normal", "Deleted", "it"),
        CREATE,
        conditions=[ACCEPTED],
    )
    assert bench.api.verbs() == ["apply_status", "delete", "create"]


def test_an_empty_status_is_stored_without_absent_fields() -> None:
    from videojob_operator.reconcile.status_patcher import to_wire

    assert "jobName" not in to_wire(VideoJobStatus())

"""One decision from beginning to end: what is created, mirrored, told, and left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from videojob_api.messages.report import FetchResult
from videojob_api.resource.status import CONDITION_TYPES, DEFAULT_CONDITIONS, VideoJobStatus
from videojob_operator.domain.decide import decide
from videojob_operator.domain.decision import CreateJob, DeleteJob, RecordEvent, SetActiveDeadline, SetSuspend
from videojob_operator.domain.observation.observed import CreationProblem, Observed, SpecProblem

from tests.unit.operator.builders import (
    JOB_UID,
    NOW,
    UID,
    complete_job,
    condition,
    condition_value,
    creation_problem,
    custom,
    decide_about,
    exited_container,
    failed_job,
    failed_pod,
    job,
    new_videojob,
    pod,
    pushed_report,
    refused,
    report,
    running_container,
    running_pod,
    seconds_ago,
    settings,
    spec,
    status,
    succeeded_pod,
    videojob,
)

OVER = status(conditions=[condition("Succeeded", "True", seconds_ago(60), reason="Completed")], observed_generation=1)


def names(decision: Any) -> list[str]:
    """The kinds of its actions, events left out."""
    return [type(action).__name__ for action in decision.actions if not isinstance(action, RecordEvent)]


def test_a_new_videojob_gets_its_job_and_every_condition() -> None:
    decision = decide_about(videojob=new_videojob(), job=None)
    assert names(decision) == ["CreateJob"]
    assert [item.type for item in decision.status.conditions] == list(CONDITION_TYPES)
    assert {item.type: item.status for item in decision.status.conditions} == {
        "Accepted": "True",
        "Running": "False",
        "OutputPublished": "Unknown",
        "Succeeded": "Unknown",
        "Suspended": "False",
        "ProgressReporting": "Unknown",
        "Reconciling": "True",
        "Stalled": "False",
    }
    assert decision.status.state == "Accepted"
    assert decision.status.observed_generation == 1


def test_once_the_job_is_there_nothing_is_reconciling_any_more() -> None:
    decision = decide_about(videojob=new_videojob(), pods=())
    assert condition_value(decision, "Reconciling")[0] == "False"
    assert decision.status.job_name == "sunset-1"
    assert decision.status.start_time == seconds_ago(600)
    assert RecordEvent("Normal", "JobCreated", "created Job sunset-1") in decision.actions


def test_the_start_time_is_the_first_one_even_after_a_resume() -> None:
    told = status(start_time=seconds_ago(900))
    assert decide_about(videojob=videojob(status=told)).status.start_time == seconds_ago(900)


@pytest.mark.parametrize(
    "seen",
    [videojob(deleting=True), videojob(managed_by="somebody/else"), videojob(deleting=True, spec=None)],
    ids=["being deleted", "managed by somebody else", "deleted and unreadable"],
)
def test_what_is_not_ours_to_run_is_left_alone(seen: Any) -> None:
    decision = decide_about(videojob=seen, job=None)
    assert decision.status is seen.status
    assert decision.actions == ()


def test_a_spec_that_cannot_be_read_is_refused_with_its_field() -> None:
    problem = SpecProblem("InvalidSpec", "spec.output: Field required")
    decision = decide_about(videojob=new_videojob(spec=None, spec_error=problem), job=None)
    for kind, value in (("Accepted", "False"), ("Succeeded", "False"), ("Stalled", "True")):
        assert condition_value(decision, kind) == (value, "InvalidSpec", "spec.output: Field required")
    assert decision.actions == (RecordEvent("Warning", "InvalidSpec", "spec.output: Field required"),)
    assert decision.status.state == "Failed"


def test_a_spec_that_this_version_cannot_read_does_not_end_a_job_that_runs() -> None:
    seen = videojob(spec=None, spec_error=SpecProblem("InvalidSpec", "spec.newField: Extra inputs are not permitted"))
    decision = decide_about(videojob=seen, pods=(running_pod(),))
    assert decision.actions == ()
    assert condition_value(decision, "Stalled")[:2] == ("True", "InvalidSpec")
    assert condition_value(decision, "Succeeded")[0] == "Unknown"
    assert condition_value(decide_about(videojob=new_videojob(spec=None)), "Succeeded")[0] == "Unknown"


def test_a_spec_that_cannot_be_read_is_refused_even_beside_somebody_elses_job() -> None:
    assert (
        condition_value(decide_about(videojob=new_videojob(spec=None), job=job(owner_uid="x")), "Succeeded")[0]
        == "False"
    )


def test_a_spec_that_cannot_be_read_and_nobody_knows_why_is_refused_all_the_same() -> None:
    assert condition_value(decide_about(videojob=new_videojob(spec=None), job=None), "Accepted")[1] == "InvalidSpec"


def test_a_job_that_the_api_server_will_never_take_is_refused() -> None:
    problem = creation_problem(
        "InvalidJob", message="spec.template.spec.tolerations[0].operator: Unsupported", permanent=True
    )
    decision = decide_about(videojob=new_videojob(), job=None, creation_problem=problem)
    assert condition_value(decision, "Accepted") == ("False", "InvalidJob", problem.message)
    assert names(decision) == []


def test_a_plain_endpoint_that_is_not_on_the_list_is_refused_before_anything_exists() -> None:
    place = {"s3": {"bucket": "art", "endpoint": "http://minio:9000"}}
    seen = new_videojob(spec=spec(output=place))
    refused = decide_about(videojob=seen, job=None)
    allowed = decide_about(videojob=seen, job=None, told=settings(s3_allowed_endpoints=("http://minio:9000",)))
    assert condition_value(refused, "Accepted")[:2] == ("False", "EndpointNotAllowed")
    assert names(refused) == []
    assert names(allowed) == ["CreateJob"]


def test_an_endpoint_taken_off_the_list_does_not_stop_a_job_that_runs() -> None:
    place = {"s3": {"bucket": "art", "endpoint": "http://minio:9000"}}
    decision = decide_about(videojob=videojob(spec=spec(output=place)), pods=(running_pod(),))
    assert condition_value(decision, "Accepted")[0] == "True"


@pytest.mark.parametrize(("wanted", "is_so"), [(True, False), (False, True)])
def test_suspension_is_mirrored(wanted: bool, is_so: bool) -> None:
    decision = decide_about(videojob=videojob(spec=spec(suspend=wanted)), job=job(suspend=is_so))
    assert SetSuspend("sunset-1", JOB_UID, wanted) in decision.actions


def test_a_suspended_videojob_creates_a_suspended_job() -> None:
    decision = decide_about(videojob=new_videojob(spec=spec(suspend=True)), job=None)
    (creation,) = [action for action in decision.actions if isinstance(action, CreateJob)]
    assert creation.manifest["spec"]["suspend"] is True
    assert condition_value(decision, "Suspended")[:2] == ("True", "SuspendedByUser")
    assert decision.status.state == "Suspended"


def test_a_suspended_job_says_while_its_pod_is_still_ending() -> None:
    ending = running_pod(deletion_deadline=seconds_ago(-10), since=seconds_ago(10))
    decision = decide_about(videojob=videojob(spec=spec(suspend=True)), job=job(suspend=True), pods=(ending,))
    assert condition_value(decision, "Suspended")[2] == "spec.suspend is true, its pod is still terminating"
    assert RecordEvent("Normal", "Suspended", "spec.suspend is true, its pod is still terminating") in decision.actions


@pytest.mark.parametrize("pods", [(), (pod(),)], ids=["no pod", "a pod that never started"])
def test_while_suspended_running_is_false_for_that_reason(pods: Any) -> None:
    decision = decide_about(videojob=videojob(spec=spec(suspend=True)), job=job(suspend=True, active=0), pods=pods)
    assert condition_value(decision, "Running")[:2] == ("False", "Suspended")


def test_a_resume_is_told_once() -> None:
    paused = videojob(status=status(conditions=[condition("Suspended", "True", seconds_ago(60))]))
    event = RecordEvent("Normal", "Resumed", "spec.suspend is false")
    first = decide_about(videojob=paused)
    assert event in first.actions
    assert event not in decide_about(videojob=replace(paused, status=first.status)).actions


@pytest.mark.parametrize(("wanted", "is_so"), [(60, None), (None, 60), (60, 90)])
def test_the_active_deadline_is_mirrored(wanted: int | None, is_so: int | None) -> None:
    seen = videojob(spec=spec(deadlines={"activeSeconds": wanted} if wanted else {}))
    decision = decide_about(videojob=seen, job=job(active_deadline_seconds=is_so))
    assert SetActiveDeadline("sunset-1", JOB_UID, wanted) in decision.actions


@pytest.mark.parametrize("child", [job(deleting=True), failed_job()], ids=["being deleted", "finished"])
def test_nothing_is_mirrored_onto_a_job_that_is_over(child: Any) -> None:
    decision = decide_about(videojob=videojob(spec=spec(suspend=True)), job=child, pods=(running_pod(),))
    assert "SetSuspend" not in names(decision)


def test_after_a_verdict_nothing_is_created_again_whatever_was_deleted() -> None:
    decision = decide_about(videojob=videojob(status=OVER), job=None)
    assert names(decision) == []
    assert condition_value(decision, "Succeeded")[:2] == ("True", "Completed")


def test_after_a_verdict_a_changed_spec_is_acknowledged_and_changes_nothing() -> None:
    seen = videojob(status=OVER, spec=spec(suspend=True), generation=2)
    decision = decide_about(videojob=seen, job=complete_job())
    assert decision.status.observed_generation == 2
    assert {item.observed_generation for item in decision.status.conditions} == {2}
    assert names(decision) == []


def test_a_job_that_outlives_the_verdict_is_deleted() -> None:
    assert decide_about(videojob=videojob(status=OVER), job=job()).actions == (
        DeleteJob("sunset-1", JOB_UID, "verdict"),
    )


@pytest.mark.parametrize(
    "child",
    [job(owner_uid="other"), job(deleting=True), complete_job()],
    ids=["somebody else's", "on its way out", "finished: its logs may be wanted"],
)
def test_other_jobs_are_not_deleted_after_the_verdict(child: Any) -> None:
    assert decide_about(videojob=videojob(status=OVER), job=child).actions == ()


def test_a_job_of_our_name_that_is_not_ours_stalls_the_videojob_and_is_not_touched() -> None:
    decision = decide_about(videojob=new_videojob(), job=job(owner_uid="", owner_kind=""), pods=(running_pod(),))
    assert condition_value(decision, "Stalled")[:2] == ("True", "JobNameTaken")
    assert "delete it, or choose another name" in condition_value(decision, "Stalled")[2]
    assert names(decision) == []
    assert decision.status.state == "Stalled"
    assert decision.status.attempt == 0
    assert decision.requeue_after == timedelta(seconds=15)


def test_the_job_of_an_earlier_videojob_of_this_name_is_waited_for() -> None:
    decision = decide_about(videojob=new_videojob(), job=job(owner_uid="earlier"))
    assert "still being deleted" in condition_value(decision, "Running")[2]


def test_a_name_that_is_taken_longer_than_the_user_waits_is_a_verdict_that_leaves_the_strangers_job() -> None:
    seen = videojob(
        status=status(job_name=None, accepted=seconds_ago(1800)), spec=spec(deadlines={"pendingSeconds": 1800})
    )
    decision = decide_about(videojob=seen, job=job(owner_uid=""))
    assert condition_value(decision, "Succeeded")[1] == "PendingDeadlineExceeded"
    assert names(decision) == []


def test_a_stranger_that_no_label_shows_is_known_from_the_refused_creation() -> None:
    problem = CreationProblem("JobNameTaken", "jobs.batch sunset-1 already exists")
    decision = decide_about(videojob=new_videojob(), job=None, creation_problem=problem)
    assert condition_value(decision, "Stalled")[:2] == ("True", "JobNameTaken")
    assert names(decision) == ["CreateJob"]


def test_while_the_runner_works_state_and_conditions_say_so() -> None:
    decision = decide_about(pods=(running_pod(),), report=pushed_report(report(1, percent=8)))
    assert condition_value(decision, "Running") == ("True", "RunnerStarted", "pod sunset-1-a on node n1")
    assert condition_value(decision, "ProgressReporting")[:2] == ("True", "Reporting")
    assert decision.status.state == "Running"
    assert RecordEvent("Normal", "RunnerStarted", "pod sunset-1-a on node n1") in decision.actions


def test_an_attempt_that_goes_on_says_from_where() -> None:
    words = FetchResult(files=1, bytes=5, resumed_step=120).model_dump_json(by_alias=True)
    attempt = pod(
        "b",
        phase="Running",
        containers=(running_container("agent"), exited_container("fetch", message=words), running_container("runner")),
    )
    decision = decide_about(pods=(failed_pod("a", code=75), attempt))
    text = "pod sunset-1-b on node n1, resumed after step 120 of an earlier attempt"
    assert condition_value(decision, "Running") == ("True", "RunnerStarted", text)
    assert RecordEvent("Normal", "RunnerStarted", text) in decision.actions


def test_when_the_runner_has_ended_the_agent_is_publishing() -> None:
    flushing = pod(
        phase="Running", containers=(running_container("agent"), exited_container("fetch"), exited_container("runner"))
    )
    decision = decide_about(pods=(flushing,))
    assert condition_value(decision, "Running")[:2] == ("False", "RunnerEnded")
    assert decision.status.state == "Publishing"


def test_a_runner_that_waits_for_its_frames_to_be_published_is_publishing() -> None:
    finishing = pushed_report(report(5, state="finishing"))  # type: ignore[arg-type]
    assert decide_about(pods=(running_pod(),), report=finishing).status.state == "Publishing"


def test_the_word_never_goes_back_while_the_last_files_are_published() -> None:
    done = pushed_report(report(6, state="done"))  # type: ignore[arg-type]
    assert decide_about(pods=(running_pod(),), report=done).status.state == "Publishing"
    between = decide_about(pods=(succeeded_pod(),), report=done)
    assert (between.status.state, condition_value(between, "Running")[1]) == ("Publishing", "RunnerEnded")


def test_frames_on_their_way_show_where_they_go() -> None:
    some = pushed_report(report(5, published={"frames": 3, "bytes": 99}))
    assert condition_value(decide_about(pods=(running_pod(),), report=some), "OutputPublished") == (
        "False",
        "Publishing",
        f"frames are being published to pvc://videos/sunset/{UID}/",
    )


def test_a_pod_that_never_reports_is_noticed_after_a_minute() -> None:
    early, late = (decide_about(pods=(running_pod(since=seconds_ago(seconds)),)) for seconds in (59, 60))
    assert condition_value(early, "ProgressReporting")[0] == "Unknown"
    assert early.requeue_after == timedelta(seconds=1)
    assert condition_value(late, "ProgressReporting")[:2] == ("False", "EndpointUnreachable")


def test_an_operator_that_has_just_started_does_not_call_a_reporting_pod_silent() -> None:
    told = status(conditions=[condition("ProgressReporting", "True", seconds_ago(300), reason="Reporting")])
    first = decide_about(videojob=videojob(status=told), pods=(running_pod(),), report=pushed_report()).status
    later = decide_about(videojob=videojob(status=first), pods=(running_pod(),), report=None)
    assert condition_value(later, "ProgressReporting")[:2] == ("True", "Reporting")


def test_reports_that_stop_make_progress_stale() -> None:
    old = pushed_report(received_at=seconds_ago(121))
    decision = decide_about(pods=(running_pod(),), report=old)
    assert condition_value(decision, "ProgressReporting") == (
        "False",
        "Stale",
        "the last report was received at 2026-01-02T14:57:59Z",
    )


def test_a_status_that_changes_nothing_is_the_same_status() -> None:
    first = decide_about(pods=(running_pod(),), report=pushed_report())
    again = decide_about(videojob=videojob(status=first.status), pods=(running_pod(),), report=pushed_report())
    assert again.status == first.status
    assert again.actions == ()


def test_the_conditions_that_only_stand_for_not_seen_yet_get_a_real_time() -> None:
    untouched = VideoJobStatus.model_validate({"observedGeneration": -1, "conditions": list(DEFAULT_CONDITIONS)})
    decision = decide_about(videojob=new_videojob(status=untouched), job=None)
    assert {item.last_transition_time for item in decision.status.conditions} == {NOW}


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    decision = decide_about(now=NOW + timedelta(minutes=5))
    times = {item.type: item.last_transition_time for item in decision.status.conditions}
    assert times["Accepted"] == seconds_ago(600)
    assert times["Running"] == NOW + timedelta(minutes=5)


def test_times_are_whole_seconds() -> None:
    decision = decide_about(videojob=new_videojob(), job=None, now=NOW.replace(microsecond=123456))
    assert decision.status.conditions[0].last_transition_time == NOW


def test_trouble_on_the_way_is_told_as_a_warning() -> None:
    stuck = pod(phase="Pending", containers=(running_pod().container("agent"),), conditions={})
    calm = decide_about(pods=(stuck,))
    assert [action.type for action in calm.actions if isinstance(action, RecordEvent)] == []
    refusals = (refused("violates PodSecurity", first=1, last=1),)
    missing = decide_about(job=job(active=0), refusals=refusals)
    text = "the API server refuses the pod: violates PodSecurity"
    assert RecordEvent("Warning", "PodRefused", text) in missing.actions


def test_messages_are_cut_to_what_the_api_takes() -> None:
    decision = decide_about(videojob=new_videojob(), job=None, creation_problem=creation_problem(message="x" * 3000))
    assert len(condition_value(decision, "Running")[2]) == 1024
    assert condition_value(decision, "Running")[2].endswith("…")


def test_a_foreign_job_without_any_image_is_refused() -> None:
    foreign = new_videojob(spec=spec(**custom(command=["true"])))
    assert names(decide_about(videojob=foreign, job=None)) == ["CreateJob"]
    ours = decide(Observed(videojob=new_videojob()), now=NOW, settings=settings(runner_image=""))
    assert condition_value(ours, "Accepted")[1] == "NoRunnerImage"

"""Attempts: every pod is counted once, and its end is judged once."""

from __future__ import annotations

from typing import Any

import pytest
from videojob_api.resource.status import AttemptStatus, ProgressStatus
from videojob_operator.domain.decision import CreateJob, RecordEvent
from videojob_operator.domain.observation.observed import Observed, ObservedPod

from tests.unit.operator.builders import (
    NOW,
    decide_about,
    failed_pod,
    job,
    observed,
    pod,
    pushed_report,
    report,
    running_container,
    running_pod,
    seconds_ago,
    spec,
    status,
    succeeded_pod,
    true_condition,
    unfetched_pod,
    videojob,
)


def attempts(**seen: Any) -> list[tuple[int, str, str]]:
    """Number, pod and reason of each attempt after a decision."""
    return [(item.number, item.pod, item.reason) for item in decide_about(**seen).status.attempts]


def kept(number: int, letter: str, *, reason: str = "RunnerFailed", open_: bool = False) -> AttemptStatus:
    sample = pod(letter)
    finished = None if open_ else sample.created
    return AttemptStatus(
        number=number, pod=sample.name, reason="" if open_ else reason, started=sample.created, finished=finished
    )


def evicted(letter: str = "a", **told: Any) -> ObservedPod:
    conditions = true_condition(
        "DisruptionTarget", reason="EvictionByEvictionAPI", message="drain", since=seconds_ago(5)
    )
    return failed_pod(letter, code=143, conditions=conditions, **told)


def test_a_pod_that_was_no_new_one_does_not_become_one() -> None:
    """Even where the status has another start of a known pod than the pod: what was written stays."""
    late = kept(1, "b", open_=True).model_copy(update={"started": NOW})
    pods = (running_pod("a"), running_pod("b"))
    first = decide_about(pods=pods, videojob=videojob(status=status(attempt=1, attempts=[late]))).status
    second = decide_about(pods=pods, videojob=videojob(status=first)).status
    assert [(item.pod, item.started) for item in first.attempts] == [(late.pod, NOW)]
    assert second.attempts == first.attempts


def test_a_first_pod_is_the_first_attempt() -> None:
    after = decide_about(pods=(running_pod(),)).status
    assert after.attempt == 1
    assert after.attempts == [AttemptStatus(number=1, pod="sunset-1-a", node="n1", started=seconds_ago(500))]


def test_a_pod_that_ended_is_written_down_with_reason_code_and_time() -> None:
    after = decide_about(pods=(failed_pod(code=3),)).status
    assert after.attempts == [
        AttemptStatus(
            number=1,
            pod="sunset-1-a",
            node="n1",
            reason="RunnerFailed",
            exit_code=3,
            started=seconds_ago(500),
            finished=seconds_ago(5),
        )
    ]


def test_only_the_last_three_are_kept_but_all_are_counted() -> None:
    after = decide_about(pods=[failed_pod(letter) for letter in "dbca"]).status
    assert after.attempt == 4
    assert [item.number for item in after.attempts] == [2, 3, 4]


def test_pods_that_were_dropped_from_the_list_are_not_counted_again() -> None:
    told = status(attempt=4, attempts=[kept(2, "b"), kept(3, "c"), kept(4, "d")])
    after = decide_about(videojob=videojob(status=told), pods=[failed_pod(letter) for letter in "abcd"]).status
    assert after.attempt == 4
    assert after.attempts == told.attempts


def test_a_new_pod_goes_on_counting() -> None:
    told = status(attempt=4, attempts=[kept(2, "b"), kept(3, "c"), kept(4, "d")])
    assert attempts(videojob=videojob(status=told), pods=(failed_pod("d"), running_pod("e"))) == [
        (3, "sunset-1-c", "RunnerFailed"),
        (4, "sunset-1-d", "RunnerFailed"),
        (5, "sunset-1-e", ""),
    ]


@pytest.mark.parametrize(("suspended", "reason"), [(True, "Suspended"), (False, "PodDeleted")])
def test_a_pod_that_is_nowhere_any_more_has_ended_now(suspended: bool, reason: str) -> None:
    told = status(attempt=1, attempts=[kept(1, "a", open_=True)])
    seen = videojob(status=told, spec=spec(suspend=suspended))
    (after,) = decide_about(videojob=seen, job=job(suspend=suspended, active=0)).status.attempts
    assert (after.reason, after.finished) == (reason, NOW)


def test_an_attempt_that_has_its_end_is_never_judged_again() -> None:
    told = status(attempt=1, attempts=[kept(1, "a", reason="OutOfMemory")])
    after = decide_about(videojob=videojob(status=told), pods=(failed_pod("a", code=3),)).status
    assert after.attempts == told.attempts


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (evicted(), "EvictionByEvictionAPI"),
        (pod(phase="Failed", conditions=true_condition("DisruptionTarget")), "Disrupted"),
        (succeeded_pod(), "Completed"),
        (unfetched_pod(code=70), "FetchFailed"),
        (unfetched_pod(code=64), "BadConfig"),
        (unfetched_pod(code=200), "FetchFailed"),
        (unfetched_pod(code=137, reason="OOMKilled"), "OutOfMemory"),
        (failed_pod(code=200), "RunnerFailed"),
        (failed_pod(code=0), "RunnerFailed"),
        (pod(phase="Failed", reason="Node.Shutdown"), "NodeShutdown"),
        (pod(phase="Failed", reason="3"), "PodFailed"),
        (pod(phase="Failed"), "PodFailed"),
        (running_pod(deleted=True), "PodDeleted"),
        (pod(deleted=True, containers=(running_container("agent"),)), "PodDeleted"),
        (failed_pod(code=3, deleted=True), "RunnerFailed"),
        (succeeded_pod(deleted=True), "Completed"),
    ],
)
def test_each_end_has_a_word(seen: ObservedPod, reason: str) -> None:
    assert attempts(pods=(seen,)) == [(1, "sunset-1-a", reason)]


def test_a_pod_that_suspension_took_away_was_suspended_whatever_its_exit_code() -> None:
    seen = videojob(spec=spec(suspend=True))
    gone = failed_pod(code=75, deleted=True)
    assert attempts(videojob=seen, job=job(suspend=True, active=0), pods=(gone,)) == [(1, "sunset-1-a", "Suspended")]


def test_a_disruption_is_counted_once() -> None:
    first = decide_about(pods=(evicted(),)).status
    second = decide_about(videojob=videojob(status=first), pods=(evicted(),)).status
    assert (first.disruptions, second.disruptions) == (1, 1)


def test_own_failures_and_suspensions_are_no_disruptions() -> None:
    assert decide_about(pods=(failed_pod("a"), succeeded_pod("b"), failed_pod("c"))).status.disruptions == 0


def test_the_end_of_an_attempt_is_told_once() -> None:
    event = RecordEvent("Warning", "Disrupted", "EvictionByEvictionAPI: drain")
    first = decide_about(pods=(evicted(),))
    second = decide_about(videojob=videojob(status=first.status), pods=(evicted(),))
    assert event in first.actions
    assert event not in second.actions


def test_a_job_that_somebody_deleted_is_made_again_and_counts_as_a_disruption() -> None:
    told = status(attempt=1, attempts=[kept(1, "a", open_=True)])
    first = decide_about(videojob=videojob(status=told), job=None)
    assert isinstance(first.actions[0], CreateJob)
    assert RecordEvent("Warning", "JobDeleted", "Job sunset-1 was deleted by another client") in first.actions
    assert (first.status.disruptions, first.status.job_name) == (1, None)
    assert first.status.attempts[0].reason == "PodDeleted"
    second = decide_about(videojob=videojob(status=first.status), job=None)
    assert isinstance(second.actions[0], CreateJob)
    assert second.status.disruptions == 1


def test_a_job_that_is_deleted_again_and_again_is_given_up() -> None:
    told = videojob(status=status(disruptions=20))
    decision = decide_about(videojob=told, job=None)
    assert [action for action in decision.actions if not isinstance(action, RecordEvent)] == []
    assert next(item for item in decision.status.conditions if item.type == "Succeeded").reason == "TooManyDisruptions"


def test_a_verdict_leaves_no_attempt_open() -> None:
    told = status(disruptions=21)
    (after,) = decide_about(videojob=videojob(status=told), pods=(running_pod(),)).status.attempts
    assert (after.reason, after.finished) == ("TooManyDisruptions", NOW)


def test_a_verdict_keeps_the_ends_that_attempts_have() -> None:
    told = status(disruptions=21)
    (after,) = decide_about(videojob=videojob(status=told), pods=(failed_pod(),)).status.attempts
    assert (after.reason, after.finished) == ("RunnerFailed", seconds_ago(5))


def test_a_new_attempt_begins_its_progress_anew() -> None:
    told = status(attempt=1, attempts=[kept(1, "a")], progress=ProgressStatus(state="running", percent=80, sequence=9))
    fresh: Observed = observed(videojob=videojob(status=told), pods=(failed_pod("a"), running_pod("b")))
    assert decide_about(videojob=fresh.videojob, pods=fresh.pods).status.progress is None
    again = pushed_report(report(1, percent=5), letter="b")
    after = decide_about(videojob=fresh.videojob, pods=fresh.pods, report=again).status.progress
    assert after is not None
    assert (after.percent, after.sequence) == (5, 1)


def test_the_first_attempt_keeps_the_progress_that_came_before_its_pod_was_seen() -> None:
    told = status(progress=ProgressStatus(state="starting"))
    assert decide_about(videojob=videojob(status=told), pods=(running_pod(),)).status.progress == told.progress

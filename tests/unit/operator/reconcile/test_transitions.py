"""What is counted on a VideoJob's way, and what is kept about it until it is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from videojob_api.resource.status import Condition, OutputStatus, VideoJobStatus
from videojob_operator.cache.creations import JobCreations
from videojob_operator.domain.observation.observed import CreationProblem, Observed, ObservedVideoJob
from videojob_operator.reconcile.transitions import MAX_REASON_LABELS, TransitionMetrics
from videojob_operator.workqueue import ObjectKey

from tests.unit.operator.builders import pod, refused, running_container, seconds_ago, waiting_container
from tests.unit.operator.fakes import metric_value, metrics

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUNSET = ObjectKey("art", "sunset")
NO, AWAY = "r.example/x:1: not found", 'Head "https://r.example/v2/x/manifests/1": dial tcp 10.0.0.9:443: i/o timeout'
TRIES = (
    ("ErrImagePull", AWAY, None),
    ("ErrImagePull", NO, 1),
    ("ImagePullBackOff", 'Back-off pulling image "r.example/x:1"', 1),
    ("ImagePullBackOff", f'Back-off pulling image "r.example/x:1": ErrImagePull: {NO}', 1),
    ("InvalidImageName", "no", 4),
    ("ErrImagePull", NO, 5),
    ("ErrImagePull", AWAY, None),
    ("ErrImagePull", NO, 7),
)
"""What a container waits for, minute by minute, and since which minute it counts as refused."""


class Count:
    """Stages at ten past twelve, and whom they asked to forget."""

    def __init__(self) -> None:
        self.metrics, self.forgotten = metrics(), list[str]()
        self.stages = TransitionMetrics(self.metrics, self.forgotten.append, now=lambda: NOON + timedelta(minutes=10))

    def decided(self, before: VideoJobStatus, after: VideoJobStatus) -> None:
        self.stages.observe(Observed(seen(status=before)), after)

    def counted(self, name: str, **labels: str) -> float:
        return metric_value(self.metrics, name, **labels)


def seen(uid: str = "uid-1", *, status: VideoJobStatus | None = None) -> ObservedVideoJob:
    return ObservedVideoJob(namespace="art", name="sunset", uid=uid, created=NOON, status=status or VideoJobStatus())


def over(status: Literal["True", "False"], reason: str) -> VideoJobStatus:
    verdict = Condition(type="Succeeded", status=status, reason=reason, last_transition_time=NOON)
    return VideoJobStatus(
        state="Failed" if status == "False" else "Succeeded",
        conditions=[verdict],
        start_time=NOON + timedelta(minutes=1),
        completion_time=NOON + timedelta(minutes=5),
        output=OutputStatus(url="pvc://v/", frames=12, bytes=3456),
    )


def test_a_changed_state_is_counted_with_its_reason() -> None:
    count = Count()
    count.decided(VideoJobStatus(state="Running"), over("False", "BadConfig"))
    assert count.counted("videojob_transitions_total", to="Failed", reason="BadConfig") == 1


def test_an_unchanged_state_is_not_counted() -> None:
    count = Count()
    end = over("False", "BadConfig")
    count.decided(end, end)
    assert count.counted("videojob_transitions_total", to="Failed", reason="BadConfig") == 0


def test_reasons_that_a_hostile_runner_invents_end_as_other() -> None:
    count = Count()
    for number in range(MAX_REASON_LABELS + 10):
        count.decided(VideoJobStatus(), over("False", f"Invented{number}"))
    assert count.counted("videojob_transitions_total", to="Failed", reason="Other") == 10


def test_the_way_to_job_runner_and_verdict_is_measured() -> None:
    count = Count()
    count.decided(VideoJobStatus(), VideoJobStatus(job_name="sunset-1", start_time=NOON + timedelta(minutes=2)))
    assert count.counted("videojob_create_to_job_seconds_sum") == 600
    assert count.counted("videojob_start_latency_seconds_sum") == 120
    count.decided(VideoJobStatus(), over("True", "Completed"))
    assert count.counted("videojob_run_seconds_sum", outcome="succeeded") == 240


def test_only_successful_output_counts() -> None:
    count = Count()
    count.decided(VideoJobStatus(), over("False", "BadConfig"))
    assert count.counted("videojob_frames_total") == 0
    count.decided(VideoJobStatus(), over("True", "Completed"))
    assert (count.counted("videojob_frames_total"), count.counted("videojob_publish_bytes_total")) == (12, 3456)


def test_a_deleted_videojob_is_forgotten_once() -> None:
    count = Count()
    count.stages.track(SUNSET, seen())
    count.stages.untrack(SUNSET)
    count.stages.untrack(SUNSET)
    assert count.forgotten == ["uid-1"]


def test_one_made_anew_under_the_same_name_ends_the_memory_of_the_old() -> None:
    count = Count()
    count.stages.track(SUNSET, seen("uid-1"))
    count.stages.track(SUNSET, seen("uid-2"))
    assert count.forgotten == ["uid-1"]


def test_a_refusal_is_news_once_and_a_creation_clears_it() -> None:
    notes = JobCreations()
    problem = CreationProblem("CreateFailed", "quota")
    assert notes.record_failure("uid-1", problem)
    assert not notes.record_failure("uid-1", problem)
    assert not notes.record_failure("uid-1", CreationProblem("CreateFailed", "quota, request 18"))
    assert notes.get("uid-1").problem == CreationProblem("CreateFailed", "quota, request 18")
    notes.record_success("uid-1", warnings=("careful",))
    assert (notes.get("uid-1").problem, notes.get("uid-1").warnings) == (None, ("careful",))


def test_a_refusal_of_a_container_is_dated_from_the_first_in_a_row_without_a_silence() -> None:
    note, noon = JobCreations().get("uid-1"), datetime(2026, 1, 1, 12, tzinfo=UTC)
    for minute, (reason, message, since) in enumerate(TRIES):
        waiting = pod(containers=(waiting_container("runner", reason, message),))
        seen = note.with_failing_since(waiting, now=noon + timedelta(minutes=minute)).container("runner").failing_since
        assert seen == (None if since is None else noon + timedelta(minutes=since)), minute


def test_a_combined_event_is_dated_from_when_its_words_were_first_seen() -> None:
    """The recorder writes the newest words over the old ones and leaves the time of the first."""
    note, combined = JobCreations().get("uid-1"), "(combined from similar events): Error creating: "
    told = [
        (300, "exceeded quota: gpus"),
        (120, "exceeded quota: gpus"),
        (60, "violates PodSecurity"),
        (1, "violates it"),
    ]
    seen = [
        note.with_first_refusal(replace(refused("", first=900, last=last), message=combined + words)).created
        for last, words in told
    ]
    assert seen == [seconds_ago(300), seconds_ago(300), seconds_ago(60), seconds_ago(60)]
    alone = refused("violates PodSecurity", first=900, last=1)
    assert note.with_first_refusal(alone) == alone


def test_a_container_that_recovered_begins_anew_when_it_fails_again() -> None:
    note, noon = JobCreations().get("uid-1"), datetime(2026, 1, 1, 12, tzinfo=UTC)
    failing, well = (
        pod(containers=(waiting_container("runner", "ErrImagePull", NO),)),
        pod(containers=(running_container("runner"),)),
    )
    note.with_failing_since(failing, now=noon)
    assert note.with_failing_since(well, now=noon).container("runner").failing_since is None
    later = noon + timedelta(hours=1)
    assert note.with_failing_since(failing, now=later).container("runner").failing_since == later

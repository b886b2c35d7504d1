"""The verdict table: Job × evidence → verdict. Exit code 0 is no evidence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from videojob_api.messages.report import Failure, ProgressState, Published
from videojob_api.resource.status import OutputStatus
from videojob_operator.domain.decision import DeleteJob
from videojob_operator.domain.observation.observed import ObservedPod

from tests.unit.operator.builders import (
    DIGEST,
    JOB_UID,
    NOW,
    complete_job,
    condition_value,
    creation_problem,
    decide_about,
    failed_job,
    failed_pod,
    fetch_termination_message,
    job,
    pod,
    published,
    pushed_report,
    report,
    running_pod,
    seconds_ago,
    spec,
    status,
    succeeded_pod,
    termination_message,
    true_condition,
    unfetched_pod,
    videojob,
)

COMMITTED = Published(**published())
FAILED = Failure(reason="PromptTooLong", message="77 tokens at most")


def failing(reason: str, message: str = "because") -> str:
    """Last words of an agent whose job failed."""
    failure = Failure(reason=reason, message=message)
    return termination_message(report(9, state=ProgressState.FAILED, failure=failure))


def test_complete_with_a_manifest_of_this_job_in_the_last_words_is_success() -> None:
    decision = decide_about(job=complete_job(), pods=(succeeded_pod(words=termination_message(published=published())),))
    assert condition_value(decision, "Succeeded") == (
        "True",
        "Completed",
        "published sunset.mp4 and 12 frames at pvc://videos/sunset/11111111-2222-3333-4444-555555555555/",
    )
    assert decision.status.output is not None
    assert decision.status.output.manifest_digest == DIGEST
    assert decision.status.state == "Succeeded"
    assert decision.status.completion_time == NOW


def test_complete_with_a_manifest_in_a_pushed_report_is_success() -> None:
    seen = pushed_report(report(3, state=ProgressState.DONE, published=COMMITTED))
    decision = decide_about(job=complete_job(), pods=(succeeded_pod(),), report=seen)
    assert condition_value(decision, "Succeeded")[:2] == ("True", "Completed")


def test_a_manifest_that_an_earlier_pod_committed_counts() -> None:
    pods = (
        failed_pod("a", code=74, words=termination_message(published=published())),
        succeeded_pod("b", words=termination_message()),
    )
    assert condition_value(decide_about(job=complete_job(), pods=pods), "Succeeded")[0] == "True"


def test_a_manifest_of_another_job_is_no_evidence() -> None:
    foreign = report(9).model_copy(update={"uid": "somebody-else", "published": COMMITTED})
    decision = decide_about(job=complete_job(), pods=(succeeded_pod(words=termination_message(foreign)),))
    assert condition_value(decision, "Succeeded")[:2] == ("False", "OutputNotPublished")


def test_complete_without_evidence_fails_and_says_where_to_look() -> None:
    decision = decide_about(job=complete_job(), pods=(succeeded_pod(words="garbage"),))
    verdict = condition_value(decision, "Succeeded")
    assert verdict[:2] == ("False", "OutputNotPublished")
    assert "exit code 0" in verdict[2]
    assert condition_value(decision, "OutputPublished")[:2] == ("False", "NotPublished")
    assert decision.status.state == "Failed"


def test_without_evidence_the_message_names_what_was_published_so_far() -> None:
    words = termination_message(published=published(manifest_digest=None))
    decision = decide_about(job=complete_job(), pods=(succeeded_pod(words=words),))
    assert "pvc://videos/sunset/" in condition_value(decision, "Succeeded")[2]


def test_a_runner_that_says_failed_and_ends_with_0_has_failed_in_its_own_words() -> None:
    decision = decide_about(
        job=complete_job(), pods=(succeeded_pod(words=failing("TestFail", "TEST_FAIL was asked for")),)
    )
    assert condition_value(decision, "Succeeded") == ("False", "RunnerFailed", "TestFail: TEST_FAIL was asked for")


def test_failed_without_a_reason_is_still_said_plainly() -> None:
    words = termination_message(report(9, state=ProgressState.FAILED))
    decision = decide_about(job=complete_job(), pods=(succeeded_pod(words=words),))
    assert condition_value(decision, "Succeeded")[1:] == ("RunnerFailed", "Failed: the runner reported FAILED")


@pytest.mark.parametrize("reason", ["CredentialsRefused", "OutputNotWritable", "EndpointUnreachable", "AgentFailed"])
def test_pictures_that_could_not_be_stored_are_not_the_runners_failure(reason: str) -> None:
    decision = decide_about(job=complete_job(), pods=(succeeded_pod(words=failing(reason)),))
    assert condition_value(decision, "Succeeded") == ("False", "OutputNotPublished", f"{reason}: because")
    assert condition_value(decision, "OutputPublished") == ("False", "UploadFailed", f"{reason}: because")


def test_last_words_beat_an_older_report_that_saw_trouble() -> None:
    trouble = pushed_report(report(3, state=ProgressState.FAILED, failure=FAILED))
    decision = decide_about(job=complete_job(), pods=(succeeded_pod(words=termination_message()),), report=trouble)
    assert condition_value(decision, "Succeeded")[1] == "OutputNotPublished"


def test_a_report_speaks_for_a_pod_whose_last_words_were_lost() -> None:
    trouble = pushed_report(report(3, state=ProgressState.FAILED, failure=FAILED))
    decision = decide_about(job=complete_job(), pods=(succeeded_pod(),), report=trouble)
    assert condition_value(decision, "Succeeded")[1:] == ("RunnerFailed", "PromptTooLong: 77 tokens at most")


@pytest.mark.parametrize("pods", [(running_pod(),), ()], ids=["pod not seen ending", "no pod"])
def test_a_complete_job_is_judged_only_once_its_pods_were_read(pods: tuple[ObservedPod, ...]) -> None:
    seen: dict[str, Any] = {"job": complete_job(since=seconds_ago(9999)), "pods": pods}
    unread, read = decide_about(**seen), decide_about(**seen, pods_read=True)
    assert condition_value(unread, "Succeeded")[0] == "Unknown"
    assert unread.requeue_after == timedelta(seconds=2)
    assert condition_value(read, "Succeeded")[:2] == ("False", "OutputNotPublished")


def test_while_it_waits_for_last_words_the_state_is_publishing() -> None:
    assert decide_about(job=complete_job(), pods=()).status.state == "Publishing"


def test_a_job_that_somebody_deleted_after_the_commit_has_succeeded() -> None:
    done = status(output=OutputStatus(url="pvc://videos/x/", manifest_digest=DIGEST, frames=12))
    decision = decide_about(videojob=videojob(status=done), job=None)
    assert condition_value(decision, "Succeeded") == (
        "True",
        "Completed",
        "published no video and 12 frames at pvc://videos/x/",
    )


def test_evidence_counts_even_where_the_job_could_not_be_made_again() -> None:
    done = status(output=OutputStatus(url="u", manifest_digest=DIGEST))
    refused = creation_problem("InvalidJob", permanent=True)
    decision = decide_about(videojob=videojob(status=done), job=None, creation_problem=refused)
    assert condition_value(decision, "Succeeded")[0] == "True"


def test_exit_code_64_is_a_bad_config_in_the_runners_own_words() -> None:
    words = failing("BadConfig", "vqganClip.video.prompts: 'heavy' is no weight")
    decision = decide_about(job=failed_job("PodFailurePolicy"), pods=(failed_pod(code=64, words=words),))
    assert condition_value(decision, "Succeeded") == (
        "False",
        "BadConfig",
        "the runner exited with exit code 64: BadConfig: vqganClip.video.prompts: 'heavy' is no weight",
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (65, "BadInput"),
        (66, "UnsafeCheckpoint"),
        (70, "RunnerFailed"),
        (74, "OutputNotPublished"),
        (75, "Interrupted"),
        (3, "RunnerFailed"),
    ],
)
def test_each_exit_code_has_its_reason(code: int, reason: str) -> None:
    verdict = condition_value(decide_about(job=failed_job(), pods=(failed_pod(code=code),)), "Succeeded")
    assert verdict[1] == reason
    assert f"exit code {code}" in verdict[2]


def test_a_crash_shows_the_last_lines_of_the_log_without_control_characters() -> None:
    pods = (failed_pod(code=3, log="a" * 5000 + "\n\x1b[31mthe disk is lava\x00\n"),)
    message = condition_value(decide_about(job=failed_job(), pods=pods), "Succeeded")[2]
    assert message.endswith("[31mthe disk is lava")
    assert "\x1b" not in message
    assert len(message) < 700


def test_memory_is_named_when_it_was_memory() -> None:
    verdict = condition_value(
        decide_about(job=failed_job(), pods=(failed_pod(code=137, why="OOMKilled"),)), "Succeeded"
    )
    assert verdict[1] == "OutOfMemory"
    assert "spec.runner.resources.limits.memory" in verdict[2]


def test_a_fetch_that_refuses_gives_its_own_reason() -> None:
    words = fetch_termination_message("DigestMismatch", "note.txt: sha256 is 2cf2…, not 0000…")
    decision = decide_about(job=failed_job("PodFailurePolicy"), pods=(unfetched_pod(message=words),))
    assert condition_value(decision, "Succeeded") == (
        "False",
        "DigestMismatch",
        "fetch exited with exit code 65: note.txt: sha256 is 2cf2…, not 0000…",
    )


def test_after_several_attempts_the_message_counts_them() -> None:
    seen = videojob(spec=spec(retry={"limit": 2}))
    pods = (failed_pod("a", code=3), failed_pod("b", code=3), failed_pod("c", code=4))
    decision = decide_about(videojob=seen, job=failed_job(failed=3), pods=pods)
    assert condition_value(decision, "Succeeded")[2] == (
        "3 attempts failed (spec.retry.limit 2), the last one: the runner exited with exit code 4"
    )


def test_a_job_that_failed_without_any_pod_left_keeps_the_controllers_reason() -> None:
    decision = decide_about(job=failed_job(), pods=(), pods_read=True)
    assert condition_value(decision, "Succeeded") == ("False", "BackoffLimitExceeded", "the Job controller gave up")


def test_a_failed_job_without_any_reason_is_called_jobfailed() -> None:
    assert condition_value(decide_about(job=failed_job(""), pods_read=True), "Succeeded")[1] == "JobFailed"


def test_a_failed_job_waits_for_its_pods_exit_code() -> None:
    decision = decide_about(job=failed_job(), pods=(running_pod(),))
    assert condition_value(decision, "Succeeded")[0] == "Unknown"
    assert decision.requeue_after == timedelta(seconds=2)


def test_an_active_deadline_is_named_with_its_field() -> None:
    seen = videojob(spec=spec(deadlines={"activeSeconds": 60}))
    verdict = condition_value(decide_about(videojob=seen, job=failed_job("DeadlineExceeded")), "Succeeded")
    assert verdict == (
        "False",
        "DeadlineExceeded",
        "the Job ran longer than spec.deadlines.activeSeconds allows (60 s)",
    )


def test_disruptions_have_a_limit_of_their_own_and_end_the_job() -> None:
    told = status(disruptions=2, attempt=2)
    evicted = pod(
        phase="Failed", conditions=true_condition("DisruptionTarget", reason="EvictionByEvictionAPI", message="drain")
    )
    seen = videojob(status=told, spec=spec(retry={"maxDisruptions": 2}))
    decision = decide_about(videojob=seen, pods=(evicted,))
    assert condition_value(decision, "Succeeded") == (
        "False",
        "TooManyDisruptions",
        "disrupted 3 times, more than spec.retry.maxDisruptions allows (2); the last one: EvictionByEvictionAPI drain",
    )
    assert DeleteJob("sunset-1", JOB_UID, "TooManyDisruptions") in decision.actions


def test_as_many_disruptions_as_allowed_are_allowed() -> None:
    told = videojob(status=status(disruptions=2), spec=spec(retry={"maxDisruptions": 2}))
    assert condition_value(decide_about(videojob=told, pods=(running_pod(),)), "Succeeded")[0] == "Unknown"


def test_a_pod_that_was_evicted_for_its_disk_says_so() -> None:
    message = 'Usage of EmptyDir volume "io" exceeds the limit "1Gi".'
    evicted = pod(phase="Failed", reason="Evicted", message=message)
    assert condition_value(decide_about(job=failed_job(), pods=(evicted,)), "Succeeded") == (
        "False",
        "Evicted",
        f"pod sunset-1-a: {message}",
    )


def test_without_change_of_progress_for_too_long_the_job_fails() -> None:
    seen = videojob(spec=spec(deadlines={"progressSeconds": 60}))
    still = pushed_report(report(7, percent=42), progressed_at=seconds_ago(60))
    decision = decide_about(videojob=seen, pods=(running_pod(),), report=still)
    assert condition_value(decision, "Succeeded")[1:] == (
        "ProgressDeadlineExceeded",
        "no progress for 60 s (spec.deadlines.progressSeconds), at 42 %",
    )
    assert DeleteJob("sunset-1", JOB_UID, "ProgressDeadlineExceeded") in decision.actions


def test_reports_that_stopped_coming_are_silence_and_no_standstill() -> None:
    seen = videojob(spec=spec(deadlines={"progressSeconds": 60}))
    lost = pushed_report(report(7), progressed_at=seconds_ago(3600), received_at=seconds_ago(3541))
    assert condition_value(decide_about(videojob=seen, pods=(running_pod(),), report=lost), "Succeeded")[0] == "Unknown"


@pytest.mark.parametrize("state", [ProgressState.FINISHING, ProgressState.DONE])
def test_a_finished_output_that_waits_for_its_store_does_not_stand_still(state: ProgressState) -> None:
    seen = videojob(spec=spec(deadlines={"progressSeconds": 60}))
    waits = pushed_report(report(7, state=state, percent=100), progressed_at=seconds_ago(9000))
    assert (
        condition_value(decide_about(videojob=seen, pods=(running_pod(),), report=waits), "Succeeded")[0] == "Unknown"
    )


@pytest.mark.parametrize(
    "seen",
    [
        {"pods": (running_pod(),), "report": None},
        {"pods": (running_pod(),), "report": pushed_report(progressed_at=seconds_ago(999)), "job": job(suspend=True)},
        {"pods": (pod(),), "report": pushed_report(progressed_at=seconds_ago(999))},
    ],
    ids=["nothing was ever reported", "suspended", "the runner has not started"],
)
def test_the_progress_deadline_does_not_judge_silence_or_pauses(seen: dict[str, Any]) -> None:
    limited = videojob(spec=spec(deadlines={"progressSeconds": 60}))
    assert condition_value(decide_about(videojob=limited, **seen), "Succeeded")[0] == "Unknown"

"""Raw objects become facts; whatever an API server can send is taken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from videojob_api.resource.status import VideoJobStatus
from videojob_operator.domain.conditions import EPOCH
from videojob_operator.domain.observation.observed import ContainerExit, ObservedCondition, ObservedContainer
from videojob_operator.domain.observation.projection import (
    parse_time,
    project_job,
    project_pod,
    project_videojob,
)

from tests.unit.operator.raw_objects import Raw, raw_job, raw_pod, raw_videojob


def at(second: int) -> datetime:
    return datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01T00:00:05Z", at(5)),
        ("2026-01-01T01:00:05+01:00", at(5)),
        ("2026-01-01T00:00:05.000000Z", at(5)),
        ("2026-01-01T00:00:05", at(5)),
        ("yesterday", None),
        (None, None),
        (5, None),
    ],
)
def test_times_are_aware_or_absent(text: object, moment: datetime | None) -> None:
    assert parse_time(text) == moment


def test_a_videojob_is_read_once() -> None:
    raw = raw_videojob(status={"observedGeneration": 1, "state": "Running"})
    raw["spec"]["runner"] = {"accelerator": "None"}
    seen = project_videojob(raw)
    assert (seen.namespace, seen.name, seen.uid, seen.resource_version) == ("art", "sunset", "uid-1", "7")
    assert (seen.generation, seen.created, seen.deleting, seen.spec_error) == (1, at(0), False, None)
    assert seen.spec is not None
    assert seen.spec.output.pvc is not None
    assert seen.status.state == "Running"
    assert seen.managed_by == "videojobs.dev/controller"


def test_a_videojob_of_another_controller_is_known_as_such_even_when_its_spec_cannot_be_read() -> None:
    seen = project_videojob(raw_videojob(spec={"managedBy": "acme.dev/other", "unheardOf": 1}))
    assert seen.managed_by == "acme.dev/other"
    assert seen.spec is None


def test_a_spec_that_cannot_be_read_names_field_and_value() -> None:
    raw = raw_videojob()
    raw["spec"]["retry"] = {"limit": "many"}
    invalid = project_videojob(raw).spec_error
    assert invalid is not None
    assert invalid.reason == "InvalidSpec"
    assert invalid.message.startswith("spec.retry.limit: ")
    assert "'many'" in invalid.message


def test_a_videojob_without_spec_or_times_is_still_one() -> None:
    seen = project_videojob({"metadata": {"name": "x", "uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert (seen.namespace, seen.created, seen.deleting) == ("default", EPOCH, True)
    assert seen.spec_error is not None


def test_of_a_status_that_cannot_be_read_the_conditions_survive() -> None:
    over = {"type": "Succeeded", "status": "True", "reason": "Completed", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    seen = project_videojob(raw_videojob(status={"attempt": "three", "conditions": [over, {"type": 3}, "x"]}))
    assert [(item.type, item.status) for item in seen.status.conditions] == [("Succeeded", "True")]


@pytest.mark.parametrize("status", ["garbage", {"attempt": "three"}, {"conditions": 5}])
def test_a_status_of_garbage_is_an_empty_one(status: Any) -> None:
    assert project_videojob(raw_videojob(status=status)).status == VideoJobStatus()


def test_a_job_is_read_with_its_controller_and_counts() -> None:
    status = {
        "active": 1,
        "terminating": 2,
        "failed": 3,
        "succeeded": 4,
        "startTime": "2026-01-01T00:00:03Z",
        "conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T00:00:09Z"}],
    }
    seen = project_job(raw_job(spec={"suspend": True, "activeDeadlineSeconds": 60}, status=status))
    assert (seen.uid, seen.name, seen.owner_uid, seen.owner_kind) == ("job-1", "sunset-1", "uid-1", "VideoJob")
    assert (seen.suspend, seen.active_deadline_seconds, seen.deleting) == (True, 60, False)
    assert (seen.active, seen.terminating, seen.failed, seen.succeeded) == (1, 2, 3, 4)
    assert (seen.created, seen.started) == (at(1), at(3))
    assert seen.complete_condition == ObservedCondition("Complete", "True", last_transition_time=at(9))
    assert (seen.failed_condition, seen.is_finished) == (None, True)


def test_a_job_that_has_only_just_been_created_has_no_counts() -> None:
    raw = raw_job(status={"conditions": [{"type": "Failed", "status": "False"}]})
    raw["metadata"]["ownerReferences"] = [{"uid": "friend", "kind": "Other"}]
    seen = project_job(raw)
    assert (seen.owner_uid, seen.active, seen.started, seen.is_finished) == ("", 0, None, False)


def test_a_pod_is_read_with_all_its_containers() -> None:
    seen = project_pod(pod_in_the_middle())
    assert (seen.uid, seen.name, seen.job_uid, seen.node, seen.phase) == (
        "pod-1",
        "sunset-1-x",
        "job-1",
        "n1",
        "Running",
    )
    assert (seen.reason, seen.message, seen.deletion_deadline, seen.deleted) == ("Evicted", "disk", at(30), False)
    assert seen.conditions["DisruptionTarget"] == ObservedCondition("DisruptionTarget", "True", "Drain", "m", at(4))
    assert seen.containers == {
        "agent": ObservedContainer("agent", started_at=at(5)),
        "fetch": ObservedContainer("fetch", started_at=at(6), exit=ContainerExit(65, "Error", "{}", at(7))),
        "runner": ObservedContainer("runner", waiting_reason="ErrImagePull", waiting_message="no such image"),
        "other": ObservedContainer("other"),
    }


def pod_in_the_middle() -> Raw:
    times = {"startedAt": "2026-01-01T00:00:06Z", "finishedAt": "2026-01-01T00:00:07Z"}
    status = {
        "phase": "Running",
        "reason": "Evicted",
        "message": "disk",
        "conditions": [
            {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "Drain",
                "message": "m",
                "lastTransitionTime": "2026-01-01T00:00:04Z",
            }
        ],
        "initContainerStatuses": [
            {"name": "agent", "state": {"running": {"startedAt": "2026-01-01T00:00:05Z"}}},
            {"name": "fetch", "state": {"terminated": {"exitCode": 65, "reason": "Error", "message": "{}"} | times}},
        ],
        "containerStatuses": [
            {"name": "runner", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}},
            {"name": "other", "state": {}},
        ],
    }
    raw = raw_pod(spec={"nodeName": "n1"}, status=status)
    raw["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:30Z"
    return raw


def test_a_pod_without_status_is_pending() -> None:
    seen = project_pod(raw_pod())
    assert (seen.phase, seen.node, seen.containers, seen.is_terminal) == ("Pending", None, {}, False)
    assert seen.container("runner") == ObservedContainer("runner")


def test_a_termination_message_keeps_its_end() -> None:
    ended = {"terminated": {"exitCode": 1, "message": "x" * 5000 + "end"}}
    raw = raw_pod(status={"containerStatuses": [{"name": "runner", "state": ended}]})
    found = project_pod(raw).container("runner").exit
    assert found is not None
    assert (len(found.message), found.message[-3:]) == (4096, "end")

"""The informer: a local picture that stays true through broken watches, forgotten versions and lost deletions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from videojob_operator.cache.indexer import CachedObject
from videojob_operator.cache.informer import SHUT_OUT_FAILURES, Informer, InformerOptions
from videojob_operator.domain.observation.observed import ObservedPod
from videojob_operator.domain.observation.projection import project_pod
from videojob_operator.kube.errors import ApiError, Expired, Forbidden, Unreachable
from videojob_operator.kube.kinds import PODS

from tests.support.clock import ManualClock
from tests.unit.operator.fakes import RecordingApi, metric_value, metrics
from tests.unit.operator.raw_objects import raw_pod

FAST = InformerOptions(initial_backoff=0.001)


class Looking:
    """An informer of pods over a recording API, with what it said."""

    def __init__(self, api: RecordingApi) -> None:
        self.api, self.clock, self.metrics = api, ManualClock(), metrics()
        self.changes: list[CachedObject[ObservedPod]] = []
        self.pods: Informer[ObservedPod] = Informer(
            api,
            PODS,
            project=project_pod,
            index=lambda kept: kept.projection.job_uid,
            on_change=self.changes.append,
            metrics=self.metrics,
            options=FAST,
            clock=self.clock,
        )

    @asynccontextmanager
    async def settled(self) -> AsyncIterator[Looking]:
        """Runs until the watch has nothing left to say."""
        task = asyncio.create_task(self.pods.run())
        try:
            await asyncio.wait_for(self.api.idle.wait(), 5)
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def looking(*watches: list[dict[str, Any] | ApiError], pods: tuple[dict[str, Any], ...] = ()) -> Looking:
    api = RecordingApi(events=list(watches))
    for pod in pods:
        api.add(PODS, pod)
    return Looking(api)


def event(kind: str, raw: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": raw}


def bookmark(version: str) -> dict[str, Any]:
    return event("BOOKMARK", {"metadata": {"resourceVersion": version}})


async def test_everything_listed_is_known_once_synced() -> None:
    case = looking(pods=(raw_pod("a", uid="1"), raw_pod("b", uid="2"), raw_pod("c", uid="3", job="job-2")))
    assert not case.pods.has_synced
    async with case.settled():
        assert case.pods.has_synced
        assert {pod.name for pod in case.pods.store.by_index("job-1")} == {"a", "b"}
        assert [kept.videojob for kept in case.changes] == ["sunset"] * 3


async def test_the_watch_goes_on_from_the_list() -> None:
    async with looking(pods=(raw_pod(),)).settled() as case:
        assert case.api.watched == ["101"]


async def test_only_our_own_objects_are_asked_for() -> None:
    async with looking().settled() as case:
        assert case.api.bodies("list") == [{"labelSelector": "videojobs.dev/managed=true"}]


async def test_changes_replace_and_repetitions_are_silent() -> None:
    running = raw_pod(version="102", status={"phase": "Running"})
    async with looking([event("MODIFIED", running), event("MODIFIED", running)], pods=(raw_pod(),)).settled() as case:
        assert [pod.phase for pod in case.pods.store.by_index("job-1")] == ["Running"]
        assert len(case.changes) == 2


async def test_a_deleted_pod_leaves_its_last_words_for_a_while() -> None:
    last = raw_pod(version="103", status={"phase": "Failed", "message": "evicted"})
    async with looking([event("DELETED", last)], pods=(raw_pod(),)).settled() as case:
        store = case.pods.store
        assert store.by_index("job-1") == ()
        assert [pod.message for pod in store.tombstones("job-1")] == ["evicted"]
        case.clock.forward(FAST.tombstone_ttl + 1)
        store.expire_tombstones()
        assert store.tombstones("job-1") == ()


async def test_after_a_break_the_watch_goes_on_from_the_last_version_seen() -> None:
    broken: list[dict[str, Any] | ApiError] = [bookmark("150"), Unreachable("gone quiet")]
    async with looking(broken).settled() as case:
        assert case.api.watched == ["100", "150"]
        assert case.api.verbs() == ["list"]


async def test_a_forgotten_version_is_listed_anew_and_what_vanished_is_gone() -> None:
    case = looking([Expired("too old")], pods=(raw_pod("stays", uid="1"), raw_pod("vanishes", uid="2")))
    case.api.on_watch = lambda: case.api.objects.pop((PODS, "art", "vanishes"), None)
    async with case.settled():
        assert [pod.name for pod in case.pods.store.by_index("job-1")] == ["stays"]
        assert [pod.name for pod in case.pods.store.tombstones("job-1")] == ["vanishes"]
        assert metric_value(case.metrics, "informer_relists_total", kind="Pod", cause="expired") == 1


async def test_a_stream_that_ends_quietly_is_opened_again() -> None:
    async with looking([bookmark("120")], [bookmark("130")]).settled() as case:
        assert case.api.watched == ["100", "120", "130"]


async def test_bookmarks_are_signs_of_life() -> None:
    case = looking()
    case.clock.forward(500)
    assert case.pods.staleness() == 500
    case.api.events.append([bookmark("120")])
    async with case.settled():
        assert case.pods.staleness() == 0


async def test_an_idle_stream_that_can_be_opened_anew_is_alive() -> None:
    async with looking([Unreachable("silent")]).settled() as case:
        case.clock.forward(500)
        assert case.pods.staleness() == 500
        case.api.idle.clear()
    async with case.settled():
        assert case.pods.staleness() == 0


async def test_a_failed_try_shows_that_the_reflector_works_and_ends_the_time_within_reach() -> None:
    case = looking()
    case.clock.forward(500)
    assert (case.pods.staleness(), case.pods.connected_for()) == (500, 500)
    case.pods.options = InformerOptions(initial_backoff=60)
    case.api.fail["list", PODS] = Unreachable("paused")
    task = asyncio.create_task(case.pods.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert case.api.verbs() == ["list"]
    assert (case.pods.staleness(), case.pods.connected_for(), case.pods.has_synced) == (0, 0, False)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_an_informer_that_fails_again_and_again_is_shut_out() -> None:
    case = looking()
    case.api.fail["list", PODS] = Forbidden("may not list", status=403)
    task = asyncio.create_task(case.pods.run())
    while not case.pods.is_shut_out:
        await asyncio.sleep(0)
        case.api.fail["list", PODS] = Forbidden("may not list", status=403)
    task.cancel()
    assert metric_value(case.metrics, "informer_relists_total", kind="Pod", cause="start") == SHUT_OUT_FAILURES


async def test_the_youngest_object_is_remembered_after_it_is_gone() -> None:
    async with looking(pods=(raw_pod("old", uid="1"),)).settled() as case:
        young = raw_pod("young", uid="2", version="200")
        young["metadata"]["creationTimestamp"] = "2026-01-01T00:05:00Z"
        case.pods.put(young)
        case.pods.store.remove("2")
        assert case.pods.store.newest == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)


async def test_what_the_operator_has_just_written_is_known_at_once() -> None:
    async with looking().settled() as case:
        case.pods.put(raw_pod(version="200"))
        assert [pod.name for pod in case.pods.store.by_index("job-1")] == ["sunset-1-x"]


async def test_the_answer_to_a_write_does_not_undo_what_the_watch_has_said_since() -> None:
    running = raw_pod(version="102", status={"phase": "Running"})
    async with looking([event("MODIFIED", running)], pods=(raw_pod(version="100"),)).settled() as case:
        case.pods.put(raw_pod(version="101", status={"phase": "Pending"}))
        assert [pod.phase for pod in case.pods.store.by_index("job-1")] == ["Running"]
        assert len(case.changes) == 2


async def test_a_watch_that_could_be_opened_ends_the_row_of_failures(caplog: pytest.LogCaptureFixture) -> None:
    case = looking([Unreachable("reset")], [Unreachable("reset")], pods=(raw_pod(),))
    case.api.fail["list", PODS] = Unreachable("no connection")
    async with case.settled():
        assert [record.args[1] for record in caplog.records if isinstance(record.args, tuple)] == [0.001, 0.001, 0.001]


async def test_a_failing_list_is_tried_again() -> None:
    case = looking(pods=(raw_pod(),))
    case.api.fail["list", PODS] = Unreachable("no connection")
    async with case.settled():
        assert case.pods.has_synced
        assert case.api.verbs() == ["list", "list"]


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_the_number_of_objects_is_counted(count: int) -> None:
    async with looking(pods=tuple(raw_pod(f"p{n}", uid=str(n)) for n in range(count))).settled() as case:
        assert metric_value(case.metrics, "informer_objects", kind="Pod") == count

"""The store of VideoJobs: never older than it was, no ghosts, and aware when its ears are deaf."""

from __future__ import annotations

import pytest
from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.observation.projection import project_videojob
from videojob_operator.kube.api import is_newer
from videojob_operator.kube.errors import Unreachable
from videojob_operator.kube.kinds import VIDEOJOBS
from videojob_operator.workqueue import ObjectKey

from tests.support.clock import ManualClock
from tests.unit.operator.fakes import RecordingApi
from tests.unit.operator.raw_objects import raw_videojob

SUNSET = ObjectKey("art", "sunset")


class Store:
    """The store over a recording API."""

    def __init__(self) -> None:
        self.api, self.clock, self.changed = RecordingApi(), ManualClock(), list[ObjectKey]()
        self.videojobs = VideoJobCache(self.api, self.changed.append, clock=self.clock)

    def version(self, key: ObjectKey = SUNSET) -> str | None:
        seen = self.videojobs.get(key)
        return seen.resource_version if seen else None


def test_an_older_event_never_replaces_a_newer_state() -> None:
    store = Store()
    store.videojobs.on_watch_event(raw_videojob(version="9"), deleted=False)
    store.videojobs.on_watch_event(raw_videojob(version="8"), deleted=False)
    assert store.version() == "9"
    assert store.changed == [SUNSET]


def test_versions_are_numbers_and_not_words() -> None:
    store = Store()
    store.videojobs.on_watch_event(raw_videojob(version="9"), deleted=False)
    store.videojobs.on_watch_event(raw_videojob(version="10"), deleted=False)
    assert store.version() == "10"


def test_a_job_made_anew_replaces_the_old_one_whatever_its_version() -> None:
    store = Store()
    store.videojobs.on_watch_event(raw_videojob(uid="uid-1", version="9"), deleted=False)
    store.videojobs.on_watch_event(raw_videojob(uid="uid-2", version="3"), deleted=False)
    assert store.version() == "3"


def test_a_late_deletion_of_the_old_one_leaves_the_new_one() -> None:
    store = Store()
    store.videojobs.on_watch_event(raw_videojob(uid="uid-2"), deleted=False)
    store.videojobs.on_watch_event(raw_videojob(uid="uid-1"), deleted=True)
    assert store.version() == "7"
    store.videojobs.on_watch_event(raw_videojob(uid="uid-2"), deleted=True)
    assert store.version() is None
    assert store.changed == [SUNSET, SUNSET]


async def test_a_sweep_removes_ghosts() -> None:
    store = Store()
    store.videojobs.on_watch_event(raw_videojob("ghost"), deleted=False)
    store.clock.forward(1)
    await store.videojobs.relist()
    assert list(store.videojobs) == []
    assert store.changed[-1] == ObjectKey("art", "ghost")


async def test_a_sweep_reads_what_the_watch_has_missed() -> None:
    store = Store()
    store.videojobs.on_watch_event(store.api.add(VIDEOJOBS, raw_videojob()), deleted=False)
    store.api.add(VIDEOJOBS, raw_videojob("unheard", uid="uid-9"))
    store.api.add(VIDEOJOBS, raw_videojob())
    store.clock.forward(1)
    await store.videojobs.relist()
    assert store.version() == "103"
    assert ObjectKey("art", "unheard") in list(store.videojobs)
    assert sorted(store.api.bodies("get")) == ["sunset", "unheard"]


async def test_a_sweep_of_an_unchanged_cluster_reads_no_object() -> None:
    store = Store()
    for number in range(5):
        store.videojobs.on_watch_event(
            store.api.add(VIDEOJOBS, raw_videojob(f"j{number}", uid=str(number))), deleted=False
        )
    store.clock.forward(1)
    await store.videojobs.relist()
    assert store.api.verbs() == ["list"]


async def test_what_arrives_during_a_sweep_is_no_ghost() -> None:
    store = Store()
    await store.videojobs.relist()
    store.videojobs.on_watch_event(raw_videojob("new"), deleted=False)
    assert len(store.videojobs) == 1


async def test_a_refresh_of_what_is_gone_removes_it() -> None:
    store = Store()
    store.videojobs.on_watch_event(raw_videojob(), deleted=False)
    await store.videojobs.reload(SUNSET)
    assert store.version() is None


def test_kopf_is_deaf_when_a_written_version_does_not_come_back() -> None:
    store = Store()
    store.videojobs.put(project_videojob(raw_videojob(version="20")), expect_delivery=True)
    store.clock.forward(200)
    assert store.videojobs.delivery_lag() == 200
    store.videojobs.on_watch_event(raw_videojob(version="19"), deleted=False)
    assert store.videojobs.delivery_lag() == 200
    store.videojobs.on_watch_event(raw_videojob(version="20"), deleted=False)
    assert store.videojobs.delivery_lag() == 0


def test_later_writes_do_not_excuse_a_missing_one() -> None:
    store = Store()
    for version in range(20, 30):
        store.videojobs.put(project_videojob(raw_videojob(version=str(version))), expect_delivery=True)
        store.clock.forward(10)
    assert store.videojobs.delivery_lag() == 100


def test_a_deleted_job_is_not_waited_for() -> None:
    store = Store()
    store.videojobs.put(project_videojob(raw_videojob(version="20")), expect_delivery=True)
    store.videojobs.on_watch_event(raw_videojob(version="21"), deleted=True)
    store.clock.forward(500)
    assert store.videojobs.delivery_lag() == 0


async def test_the_first_sweep_waits_for_the_watch_to_bring_what_there_is() -> None:
    store = Store()
    raw = store.api.add(VIDEOJOBS, raw_videojob())
    store.api.on_list = lambda: store.videojobs.on_watch_event(raw, deleted=False)
    assert not store.videojobs.has_synced
    await store.videojobs.initial_sync()
    assert store.videojobs.has_synced
    assert store.api.bodies("get") == []


async def test_an_unreachable_server_leaves_the_first_sweep_undone() -> None:
    store = Store()
    store.api.fail["list", VIDEOJOBS] = Unreachable("no connection")
    with pytest.raises(Unreachable):
        await store.videojobs.initial_sync()
    assert not store.videojobs.has_synced


def test_states_are_counted_and_the_untouched_are_new() -> None:
    store = Store()
    store.videojobs.on_watch_event(raw_videojob("a", uid="1"), deleted=False)
    store.videojobs.on_watch_event(raw_videojob("b", uid="2", status={"state": "Running"}), deleted=False)
    assert store.videojobs.count_by_state() == {"New": 1, "Running": 1}


@pytest.mark.parametrize(("version", "than", "expected"), [("2", "1", True), ("1", "1", False), ("x", "1", True)])
def test_what_is_newer(version: str, than: str, expected: bool) -> None:
    assert is_newer(version, than) is expected

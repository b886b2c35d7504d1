"""Checkpoints on their way to the output: after their frames, whole or not at all, two of them, and gone at the end."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from videojob_agent.checkpoints import uploader as module
from videojob_agent.errors import AgentError, CredentialsRefused, EndpointUnreachable
from videojob_api.contract.checkpoint import MAX_CHECKPOINT_BYTES, MAX_CHECKPOINT_FILES
from videojob_api.messages.report import ProgressState

from tests.unit.agent.attempt import (
    INDEX,
    PREFIX,
    SimulatedAttempt,
    folder_of,
    frame,
    index,
    manifest_entry,
    resumable_steps,
    state,
)
from tests.unit.agent.fakes import JOB, MemoryStore

WORKING = "IN_PROGRESS uid-1 40% 7s"
COMPLETED = "COMPLETED uid-1 v.mp4"
FAILED = "FAILED uid-1"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def attempt(tmp_path: Path, store: MemoryStore) -> SimulatedAttempt:
    attempt = SimulatedAttempt.at(tmp_path / "first", store)
    attempt.says(WORKING)
    return attempt


def carried(store: MemoryStore) -> list[str]:
    """What lies at the output for the next attempt."""
    return sorted(name.removeprefix(PREFIX) for name in store.files if name.startswith("checkpoints/"))


def test_a_checkpoint_follows_the_frames_that_it_counts_on_and_the_index_comes_last(
    attempt: SimulatedAttempt, store: MemoryStore
) -> None:
    attempt.draws(0, 1)
    attempt.saves(20, frames=2)
    attempt.step()
    assert set(store.order[:2]) == {"frames/00000.png", "frames/00001.png"}
    folder = PREFIX + folder_of(20)
    assert store.order[2:] == [f"{folder}/metrics", f"{folder}/state", f"{folder}/complete", INDEX]
    assert store.files[f"{folder}/state"] == state(20)


def test_the_index_says_what_lies_there(attempt: SimulatedAttempt, store: MemoryStore) -> None:
    attempt.draws(0, 1, 2)
    place = attempt.saves(20, frames=2, state=state(20))
    attempt.step()
    marker = (place / "complete").read_bytes()
    assert index(store) == {
        "apiVersion": "checkpoints.videojobs.dev/v1",
        "uid": "uid-1",
        "checkpoints": [
            {
                "folder": "step-000000000020",
                "step": 20,
                "frames": 2,
                "files": [manifest_entry("state", state(20)), manifest_entry("complete", marker)],
            }
        ],
        "frames": [manifest_entry("frames/00000.png", frame(0)), manifest_entry("frames/00001.png", frame(1))],
    }


def test_other_frames_still_have_to_settle(attempt: SimulatedAttempt, store: MemoryStore) -> None:
    attempt.draws(0, 1)
    attempt.saves(20, frames=1)
    attempt.step()
    assert "frames/00001.png" not in store.files
    attempt.step(after=2)
    assert "frames/00001.png" in store.files


def test_a_checkpoint_whose_frames_are_not_there_waits(attempt: SimulatedAttempt, store: MemoryStore) -> None:
    attempt.draws(0)
    attempt.saves(20, frames=2)
    attempt.step()
    assert carried(store) == []
    attempt.draws(1)
    attempt.step()
    assert resumable_steps(store) == [20]


def test_a_checkpoint_of_no_frames_is_carried(attempt: SimulatedAttempt, store: MemoryStore) -> None:
    attempt.saves(5, frames=0)
    attempt.step()
    assert resumable_steps(store) == [5]


def test_two_generations_are_kept_and_the_third_goes(attempt: SimulatedAttempt, store: MemoryStore) -> None:
    for step in (10, 20, 30):
        attempt.saves(step, frames=0, state=state(step))
        attempt.step()
    assert resumable_steps(store) == [30, 20]
    folders = [folder_of(20), folder_of(30)]
    assert carried(store) == ["index.json", *(f"{each}/{name}" for each in folders for name in ("complete", "state"))]


def test_only_the_newest_is_carried_and_only_once(attempt: SimulatedAttempt, store: MemoryStore) -> None:
    attempt.saves(10, frames=0)
    attempt.saves(20, frames=0)
    attempt.step()
    sent = len(store.order)
    attempt.step(after=5)
    assert (resumable_steps(store), len(store.order)) == ([20], sent)


def test_trouble_in_the_middle_leaves_an_index_of_whole_checkpoints(
    attempt: SimulatedAttempt, store: MemoryStore
) -> None:
    attempt.saves(10, frames=0)
    attempt.step()

    class Away(MemoryStore):
        def put(self, source: BinaryIO, *, name: str, size: int) -> None:
            if name.endswith("complete"):
                raise EndpointUnreachable("away")
            super().put(source, name=name, size=size)

    attempt.saves(20, frames=0)
    store.__class__ = Away
    attempt.step()
    assert resumable_steps(store) == [10]
    store.__class__ = MemoryStore
    attempt.step(after=60)
    assert resumable_steps(store) == [20, 10]


def test_a_checkpoint_that_the_runner_drops_meanwhile_is_left_for_the_newer_one(
    tmp_path: Path, attempt: SimulatedAttempt
) -> None:
    class Slow(MemoryStore):
        def put(self, source: BinaryIO, *, name: str, size: int) -> None:
            super().put(source, name=name, size=size)
            if name.endswith("metrics"):
                shutil.rmtree(dropped)

    store = Slow()
    attempt = SimulatedAttempt.at(tmp_path / "slow", store)
    dropped = attempt.saves(10, frames=0)
    attempt.step()
    assert INDEX not in store.files
    attempt.saves(30, frames=0, state=state(30))
    attempt.step()
    assert resumable_steps(store) == [30]


def test_a_checkpoint_that_is_gone_before_it_is_opened_is_no_news(
    attempt: SimulatedAttempt, store: MemoryStore
) -> None:
    carrier = module.CheckpointUploader(attempt.orders, store, log=attempt.events)
    place = attempt.saves(10, frames=0)
    found = carrier.newest()
    assert found is not None
    shutil.rmtree(place)
    carrier.upload(found, [])
    assert (carried(store), attempt.log) == ([], [])


@pytest.mark.parametrize("end", ["interrupted", "failed"])
def test_at_the_end_of_the_runner_its_last_checkpoint_is_carried_first(
    attempt: SimulatedAttempt, store: MemoryStore, end: str
) -> None:
    attempt.draws(0, 1)
    attempt.saves(20, frames=1)
    if end == "failed":
        attempt.says(FAILED)
    attempt.ends()
    assert attempt.publishing.finished.is_set()
    assert resumable_steps(store) == [20]
    assert store.order[0] == "frames/00000.png"
    assert store.order[-1] == "frames/00001.png"


def test_checkpoints_are_gone_after_the_commit_and_were_never_in_the_manifest(
    attempt: SimulatedAttempt, store: MemoryStore
) -> None:
    attempt.draws(0)
    attempt.saves(20, frames=1)
    attempt.step()
    attempt.says(COMPLETED, v=b"movie")
    attempt.step()
    assert attempt.board.current.progress_state is ProgressState.DONE
    assert carried(store) == []
    assert [file["path"] for file in json.loads(store.committed or b"")["files"]] == ["frames/00000.png", "v.mp4"]


def test_checkpoints_that_cannot_be_removed_do_not_spoil_a_finished_video(
    attempt: SimulatedAttempt, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt.saves(20, frames=0)
    attempt.step()
    refuse(monkeypatch, "remove", EndpointUnreachable("away"))
    attempt.says(COMPLETED, v=b"movie")
    attempt.step()
    assert attempt.board.current.progress_state is ProgressState.DONE
    assert attempt.told("old checkpoints not removed")[0]["reason"] == "EndpointUnreachable"


def refuse(monkeypatch: pytest.MonkeyPatch, method: str, error: AgentError) -> None:
    """From now on, the memory stores refuse one kind of request."""

    def refused(self: MemoryStore, name: str) -> None:
        raise error

    monkeypatch.setattr(MemoryStore, method, refused)


def test_a_pod_that_was_killed_has_left_its_checkpoints_for_the_pod_that_finds_the_manifest(
    attempt: SimulatedAttempt, store: MemoryStore, tmp_path: Path
) -> None:
    attempt.saves(20, frames=0)
    attempt.step()
    left = dict(store.files)
    attempt.says(COMPLETED, v=b"movie")
    attempt.step()
    store.files.update(left)  # as if it had been killed after the commit
    later = SimulatedAttempt.at(tmp_path / "later", store)
    later.step()
    assert later.board.current.progress_state is ProgressState.DONE
    assert carried(store) == []


def test_what_a_killed_pod_has_left_half_done_goes_with_the_next_checkpoint(
    attempt: SimulatedAttempt, store: MemoryStore
) -> None:
    store.files[f"{PREFIX}step-000000000007/state"] = b"half"
    store.files["checkpoints/uid-0/step-000000000007/state"] = b"another job's"
    store.files["checkpoints/mine.ckpt"] = b"somebody's"
    attempt.saves(20, frames=0)
    attempt.step()
    assert f"{PREFIX}step-000000000007/state" not in store.files
    assert {"checkpoints/uid-0/step-000000000007/state", "checkpoints/mine.ckpt"} <= store.files.keys()


def test_who_may_not_list_files_still_removes_what_the_index_has_named(
    attempt: SimulatedAttempt, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "list_names", CredentialsRefused("no"))
    for step in (10, 20, 30):
        attempt.saves(step, frames=0, state=state(step))
        attempt.step()
    assert f"{PREFIX}{folder_of(10)}/state" not in store.files
    attempt.says(COMPLETED, v=b"movie")
    attempt.step()
    assert carried(store) == []


def test_who_may_not_remove_files_keeps_old_ones_and_says_so(
    attempt: SimulatedAttempt, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "remove", CredentialsRefused("no"))
    for step in (10, 20, 30):
        attempt.saves(step, frames=0)
        attempt.step()
    assert resumable_steps(store) == [30, 20]
    assert attempt.board.current.warning == ""
    assert attempt.told("old checkpoints not removed")


def test_where_nothing_could_go_on_from_them_checkpoints_stay_where_they_are(
    tmp_path: Path, store: MemoryStore
) -> None:
    attempt = SimulatedAttempt.at(tmp_path, store, publishes_checkpoints=False)
    attempt.draws(0)
    attempt.saves(20, frames=1)
    attempt.says(WORKING)
    attempt.ends()
    assert list(store.files) == ["frames/00000.png"]


def test_a_runners_own_files_cannot_pass_for_the_agents(attempt: SimulatedAttempt, store: MemoryStore) -> None:
    for name in (INDEX, "checkpoints/mine/index.json"):
        (attempt.io / "output" / name).parent.mkdir(parents=True)
        (attempt.io / "output" / name).write_text("{}")
    attempt.says(FAILED)
    attempt.step()
    assert list(store.files) == ["checkpoints/mine/index.json"]


def planted(place: Path, outside: Path) -> dict[str, Callable[[], object]]:
    """What somebody who wants to do harm may put into a checkpoint."""
    return {
        "a link": lambda: (place / "link").symlink_to(outside),
        "a linked folder": lambda: (place / "folder").symlink_to(outside.parent),
        "a fifo": lambda: os.mkfifo(place / "fifo"),
        "a file with a second name": lambda: os.link(outside, place / "stolen"),
        "a name with a line break": (place / "bad\nname").touch,
        "a folder too deep": lambda: (place / "1/2/3/4/5").mkdir(parents=True),
        "too many files": lambda: [(place / f"{n}").write_text("") for n in range(MAX_CHECKPOINT_FILES)],
        "too many bytes": lambda: os.truncate(place / "state", MAX_CHECKPOINT_BYTES + 1),  # sparse
        "a file nobody may read": lambda: (place / "state").chmod(0),
    }


@pytest.mark.parametrize("trap", planted(Path(), Path()))
def test_a_checkpoint_with_a_trap_in_it_stays_and_the_frames_go_out(
    attempt: SimulatedAttempt, store: MemoryStore, tmp_path: Path, trap: str
) -> None:
    if trap == "a file nobody may read" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    outside = tmp_path / "secret"
    outside.write_text("secret")
    attempt.draws(0)
    planted(attempt.saves(20, frames=1), outside)[trap]()
    attempt.step()
    attempt.step(after=2)
    assert INDEX not in store.files
    assert store.files["frames/00000.png"] == frame(0)
    assert b"secret" not in store.files.values()
    assert len(attempt.told("checkpoint not uploaded")) == 1
    attempt.saves(30, frames=1)
    attempt.step()
    assert resumable_steps(store) == [30]


@pytest.mark.parametrize("trap", ["torn", "another job's", "huge", "a link", "absent", "more frames than there are"])
def test_a_marker_that_is_none_does_not_count_and_the_one_before_does(
    attempt: SimulatedAttempt, store: MemoryStore, tmp_path: Path, trap: str
) -> None:
    attempt.saves(10, frames=0)
    place = attempt.saves(20, frames=10**9 if trap.startswith("more") else 0, uid="u" if "job" in trap else JOB.uid)
    marker = place / "complete"
    match trap:
        case "torn":
            marker.write_bytes(marker.read_bytes()[:-2])
        case "huge":
            marker.write_text(marker.read_text() + " " * module.MAX_MARKER_BYTES)
        case "a link":
            marker.rename(tmp_path / "marker")
            marker.symlink_to(tmp_path / "marker")
        case "absent":
            marker.unlink()
    attempt.step()
    assert (INDEX in store.files) != trap.startswith("more")
    assert trap.startswith("more") or resumable_steps(store) == [10]


@pytest.mark.parametrize("name", ["step-", "step-1x", "step-\n1", "9", ".step-000000000030.part", "step-" + "9" * 40])
def test_a_folder_of_another_name_is_no_checkpoint(attempt: SimulatedAttempt, store: MemoryStore, name: str) -> None:
    attempt.saves(10, frames=0).rename(attempt.io / "checkpoints" / name)
    attempt.step()
    assert carried(store) == []


def test_a_linked_folder_of_checkpoints_is_not_entered(
    attempt: SimulatedAttempt, store: MemoryStore, tmp_path: Path
) -> None:
    attempt.saves(10, frames=0)
    (attempt.io / "checkpoints").rename(tmp_path / "elsewhere")
    (attempt.io / "checkpoints").symlink_to(tmp_path / "elsewhere")
    attempt.step()
    assert carried(store) == []

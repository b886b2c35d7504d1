"""Bringing files to the store, and the commit."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest
from videojob_agent.errors import (
    AlreadyCommitted,
    CredentialsRefused,
    EndpointUnreachable,
    OutputOccupied,
    ScratchFailed,
    UnsafePath,
)
from videojob_agent.publish.publisher import Publisher
from videojob_api.contract.manifest import Manifest

from tests.support.clock import ManualClock
from tests.unit.agent.fakes import JOB, MemoryStore, plan

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def io(tmp_path: Path) -> Path:
    (tmp_path / "io/output/frames").mkdir(parents=True)
    return tmp_path / "io"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def publisher(io: Path, store: MemoryStore, clock: ManualClock) -> Publisher:
    return Publisher(plan(io), store, clock=clock, now=lambda: NOW)


def write(io: Path, name: str, content: bytes = b"x") -> None:
    (io / "output" / name).write_bytes(content)


def test_a_fresh_frame_waits_two_seconds(
    io: Path, publisher: Publisher, store: MemoryStore, clock: ManualClock
) -> None:
    write(io, "frames/0.png")
    assert not publisher.sync_frames(only_stable=True)
    clock.now += 1.9
    assert not publisher.sync_frames(only_stable=True)
    assert store.files == {}
    clock.now += 0.1
    assert publisher.sync_frames(only_stable=True)
    assert store.files == {"frames/0.png": b"x"}


def test_a_frame_that_is_still_written_begins_its_wait_anew(
    io: Path, publisher: Publisher, store: MemoryStore, clock: ManualClock
) -> None:
    for content in (b"h", b"ha", b"hal", b"half"):
        write(io, "frames/0.png", content)
        publisher.sync_frames(only_stable=True)
        clock.now += 1.5
    assert store.files == {}


def test_a_stored_frame_is_not_stored_again(io: Path, publisher: Publisher, store: MemoryStore) -> None:
    write(io, "frames/0.png")
    publisher.sync_frames(only_stable=False)
    publisher.sync_all(only_stable=False)
    assert store.order == ["frames/0.png"]


def test_a_rewritten_frame_is_stored_again(io: Path, publisher: Publisher, store: MemoryStore) -> None:
    write(io, "frames/0.png", b"one")
    publisher.sync_frames(only_stable=False)
    write(io, "frames/0.png", b"two")
    os.utime(io / "output/frames/0.png", ns=(1, 1))
    publisher.sync_frames(only_stable=False)
    assert store.files["frames/0.png"] == b"two"


def test_only_frames_go_out_while_the_runner_works(io: Path, publisher: Publisher, store: MemoryStore) -> None:
    write(io, "v.mp4")
    write(io, "frames/0.png")
    publisher.sync_frames(only_stable=False)
    assert list(store.files) == ["frames/0.png"]


def test_frames_are_all_stored_before_a_video(io: Path, publisher: Publisher, store: MemoryStore) -> None:
    for name in ("a.mp4", "sheet.png", *(f"frames/{n:05}.png" for n in range(12))):
        write(io, name)
    publisher.sync_all(only_stable=False)
    assert sorted(store.order[:12]) == [f"frames/{n:05}.png" for n in range(12)]
    assert set(store.order[12:]) == {"a.mp4", "sheet.png"}


def test_what_is_published_is_counted(io: Path, publisher: Publisher) -> None:
    write(io, "v.mp4", b"12345")
    write(io, "frames/0.png", b"123")
    publisher.sync_all(only_stable=False)
    published = publisher.published
    assert (published.frames, published.bytes, published.videos) == (1, 8, ["v.mp4"])
    assert published.manifest_digest is None
    assert published.url == "pvc://videos/waves/"


def test_at_most_eight_videos_are_named(io: Path, publisher: Publisher) -> None:
    for number in range(10):
        write(io, f"{number}.mp4")
    publisher.sync_all(only_stable=False)
    assert publisher.published.videos == [f"{number}.mp4" for number in range(8)]


def test_the_manifest_lists_every_file_with_its_digest(io: Path, publisher: Publisher, store: MemoryStore) -> None:
    write(io, "v.mp4", b"movie")
    write(io, "frames/0.png", b"frame")
    publisher.sync_all(only_stable=False)
    publisher.commit({"torch": "2.13.0"})
    assert store.committed is not None
    body = json.loads(store.committed)
    assert body == {
        "apiVersion": "manifest.videojobs.dev/v1",
        "job": {"namespace": "night", "name": "waves", "uid": "uid-1"},
        "created": "2026-05-01T00:00:00Z",
        "frames": 1,
        "videos": ["v.mp4"],
        "files": [
            {"path": "frames/0.png", "size": 5, "sha256": hashlib.sha256(b"frame").hexdigest()},
            {"path": "v.mp4", "size": 5, "sha256": hashlib.sha256(b"movie").hexdigest()},
        ],
        "artifacts": [],
        "versions": {"torch": "2.13.0"},
    }
    assert publisher.published.manifest_digest == "sha256:" + hashlib.sha256(store.committed).hexdigest()


def test_a_file_that_vanished_before_the_end_is_not_in_the_manifest(
    io: Path, publisher: Publisher, store: MemoryStore
) -> None:
    write(io, "frames/0.png")
    write(io, "v.mp4")
    publisher.sync_frames(only_stable=False)
    (io / "output/frames/0.png").unlink()
    publisher.sync_all(only_stable=False)
    publisher.commit({})
    assert store.committed is not None
    assert [file.path for file in Manifest.model_validate_json(store.committed).files] == ["v.mp4"]


def test_a_file_that_changes_while_it_is_stored_is_not_taken_for_stored(io: Path, clock: ManualClock) -> None:
    class Slow(MemoryStore):
        def put(self, source: BinaryIO, *, name: str, size: int) -> None:
            super().put(source, name=name, size=size)
            if len(self.order) == 1:
                write(io, "frames/0.png", b"changed")

    store = Slow()
    publisher = Publisher(plan(io), store, clock=clock, now=lambda: NOW)
    write(io, "frames/0.png", b"first")
    assert not publisher.sync_frames(only_stable=False)
    assert publisher.published.frames == 0
    assert publisher.sync_frames(only_stable=False)
    assert store.files["frames/0.png"] == b"changed"


def test_what_was_stored_before_trouble_stays_stored(io: Path, publisher: Publisher, store: MemoryStore) -> None:
    for number in range(3):
        write(io, f"frames/{number}.png")
    publisher.sync_frames(only_stable=False)
    write(io, "frames/3.png")
    store.refusals = [EndpointUnreachable("away")]
    with pytest.raises(EndpointUnreachable):
        publisher.sync_frames(only_stable=False)
    publisher.sync_frames(only_stable=False)
    assert len(store.order) == 4


class Hidden(MemoryStore):
    """Rights that reach to write a manifest and not to see it."""

    readable = False

    def manifest(self) -> bytes | None:
        return super().manifest() if self.readable else None


def test_a_manifest_that_lies_there_and_may_not_be_read_waits_for_the_right_to_read_it(
    io: Path, clock: ManualClock
) -> None:
    store = Hidden()
    publisher = Publisher(plan(io), store, clock=clock, now=lambda: NOW)
    write(io, "v.mp4")
    publisher.sync_all(only_stable=False)
    publisher.commit({})  # and its answer is lost
    again = Publisher(plan(io), store, clock=clock, now=lambda: NOW)
    again.sync_all(only_stable=False)
    with pytest.raises(CredentialsRefused, match="allow s3:GetObject"):
        again.commit({})
    store.readable = True
    again.commit({})
    assert again.published.manifest_digest == publisher.published.manifest_digest


def test_a_runner_that_has_made_no_folder_yet_has_no_output(tmp_path: Path, store: MemoryStore) -> None:
    (tmp_path / "io").mkdir()
    publisher = Publisher(plan(tmp_path / "io"), store, clock=ManualClock(), now=lambda: NOW)
    assert publisher.sync_frames(only_stable=True)
    assert publisher.sync_all(only_stable=False)
    assert not publisher.has_video
    assert not (tmp_path / "io/output").exists()


def test_an_output_folder_that_is_a_link_is_refused(tmp_path: Path, store: MemoryStore) -> None:
    (tmp_path / "io").mkdir()
    (tmp_path / "io/output").symlink_to("/etc")
    with pytest.raises(UnsafePath):
        Publisher(plan(tmp_path / "io"), store, clock=ManualClock(), now=lambda: NOW).sync_all(only_stable=False)


def test_an_io_folder_that_is_no_folder_is_trouble(io: Path, store: MemoryStore) -> None:
    (io.parent / "link").symlink_to(io)
    publisher = Publisher(plan(io.parent / "link"), store, clock=ManualClock(), now=lambda: NOW)
    with pytest.raises(ScratchFailed):
        publisher.sync_all(only_stable=False)


def test_a_manifest_of_this_job_is_taken_over(io: Path, publisher: Publisher, store: MemoryStore) -> None:
    write(io, "v.mp4", b"movie")
    publisher.sync_all(only_stable=False)
    publisher.commit({})
    again = Publisher(plan(io), store, clock=ManualClock(), now=lambda: NOW)
    assert again.adopt_manifest()
    assert again.published == publisher.published


def test_a_commit_whose_answer_was_lost_counts(io: Path, store: MemoryStore, clock: ManualClock) -> None:
    class Forgetful(MemoryStore):
        def commit(self, manifest: bytes) -> None:
            self.committed = manifest
            raise AlreadyCommitted("the second try of a request whose first one had worked")

    store = Forgetful()
    publisher = Publisher(plan(io), store, clock=clock, now=lambda: NOW)
    write(io, "v.mp4")
    publisher.sync_all(only_stable=False)
    publisher.commit({})
    assert store.committed is not None
    assert publisher.published.manifest_digest == "sha256:" + hashlib.sha256(store.committed).hexdigest()


@pytest.mark.parametrize("content", [b"not json", b"{}"])
def test_another_manifest_at_the_destination_is_never_replaced(
    io: Path, publisher: Publisher, store: MemoryStore, content: bytes
) -> None:
    store.committed = content
    write(io, "v.mp4")
    publisher.sync_all(only_stable=False)
    with pytest.raises(OutputOccupied):
        publisher.commit({})
    assert store.committed == content


def test_no_manifest_is_nothing_to_take_over(publisher: Publisher) -> None:
    assert not publisher.adopt_manifest()


def test_the_job_of_these_tests_is_the_plans_job(io: Path) -> None:
    assert plan(io).job == JOB

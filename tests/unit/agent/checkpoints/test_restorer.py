"""The next attempt: what lies at the output comes back when it is whole, and never stops a job when it is not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from videojob_agent.errors import (
    AgentError,
    BucketNotFound,
    CheckpointRefused,
    CredentialsRefused,
    EndpointUnreachable,
    OutputNotWritable,
    ScratchFull,
    StorageRefused,
)
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_api.contract.exit_codes import ExitCode
from videojob_api.messages.report import FetchResult

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
from tests.unit.agent.fakes import MemoryStore, inline_input

WORKING = "IN_PROGRESS uid-1 40% 7s"
COMPLETED = "COMPLETED uid-1 v.mp4"
NEWEST, OLDER = f"{PREFIX}{folder_of(40)}/state", f"{PREFIX}{folder_of(20)}/state"


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    """The output after an attempt that drew five frames, and saved after the second and the fourth."""
    store = MemoryStore()
    first = SimulatedAttempt.at(tmp_path / "first", store)
    first.says(WORKING)
    first.draws(0, 1)
    first.saves(20, frames=2, state=state(20))
    first.step()
    first.draws(2, 3, 4)
    first.saves(40, frames=4, state=state(40))
    first.ends()
    store.order.clear()
    return store


@pytest.fixture
def second(tmp_path: Path, store: MemoryStore) -> SimulatedAttempt:
    return SimulatedAttempt.at(tmp_path / "second", store)


def lying(attempt: SimulatedAttempt) -> dict[str, bytes]:
    """What the runner finds."""
    files = (path for path in attempt.io.rglob("*") if path.is_file())
    found = {str(path.relative_to(attempt.io)): path.read_bytes() for path in files}
    del found["input/config.json"]
    return found


def after(step: int, *, frames: int) -> dict[str, bytes]:
    """What the runner must find to go on after a step; its marker is as the first attempt wrote it."""
    marker = {"uid": "uid-1", "digest": "d", "step": step, "seed": 7, "frames": frames, "versions": {}}
    found = {f"output/frames/{number:05}.png": frame(number) for number in range(frames)}
    place = f"checkpoints/{folder_of(step)}"
    return found | {f"{place}/state": state(step), f"{place}/complete": json.dumps(marker).encode()}


def test_the_newest_checkpoint_comes_back_with_the_frames_that_it_counts_on(second: SimulatedAttempt) -> None:
    assert second.fetch().resumed_step == 40
    assert lying(second) == after(40, frames=4)
    assert second.told("resuming")[0]["step"] == 40


def test_what_comes_back_may_be_read_under_any_user(second: SimulatedAttempt) -> None:
    second.fetch()
    assert (second.io / "output/frames/00000.png").stat().st_mode & 0o444 == 0o444
    assert (second.io / "checkpoints").stat().st_mode & 0o555 == 0o555


def test_a_first_attempt_begins_anew_without_a_word(tmp_path: Path) -> None:
    first = SimulatedAttempt.at(tmp_path / "one", MemoryStore())
    assert first.fetch() == FetchResult()
    assert (lying(first), first.log) == ({}, [])


def test_checkpoints_do_not_count_as_inputs(second: SimulatedAttempt) -> None:
    second.orders = second.orders.model_copy(update={"inputs": [inline_input("a.txt")]})
    result = second.fetch()
    assert (result.files, result.bytes, result.resumed_step) == (1, 5, 40)


def replaced(store: MemoryStore, name: str, content: bytes) -> None:
    assert name in store.files
    store.files[name] = content


DAMAGE: dict[str, tuple[Callable[[MemoryStore], object], int | None]] = {
    "the newest state is another": (lambda store: replaced(store, NEWEST, b"STATE after 40"), 20),
    "the newest state is longer": (lambda store: replaced(store, NEWEST, state(40) + b"!"), 20),
    "the newest state is cut": (lambda store: replaced(store, NEWEST, state(40)[:-1]), 20),
    "the newest state is missing": (lambda store: store.files.pop(NEWEST), 20),
    "a late frame is missing": (lambda store: store.files.pop("frames/00002.png"), 20),
    "a late frame is another": (lambda store: replaced(store, "frames/00003.png", b"FRAME 3"), 20),
    "an early frame is missing": (lambda store: store.files.pop("frames/00000.png"), None),
    "an early frame is empty": (lambda store: replaced(store, "frames/00001.png", b""), None),
    "both states are missing": (lambda store: (store.files.pop(NEWEST), store.files.pop(OLDER)), None),
    "everything but the index is missing": (
        lambda store: [store.files.pop(name) for name in [*store.files][:-1]],
        None,
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_passed_over_and_said(second: SimulatedAttempt, store: MemoryStore, damage: str) -> None:
    harm, step = DAMAGE[damage]
    store.files[INDEX] = store.files.pop(INDEX)  # last
    harm(store)
    assert second.fetch().resumed_step == step
    assert lying(second) == ({} if step is None else after(step, frames=2))
    assert second.told("checkpoint skipped")[0]["step"] == 40
    assert bool(second.told("starting from scratch")) == (step is None)


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_leaves_the_index(second: SimulatedAttempt, store: MemoryStore, damage: str) -> None:
    harm, step = DAMAGE[damage]
    store.files[INDEX] = store.files.pop(INDEX)
    harm(store)
    second.fetch()
    assert resumable_steps(store) == ([] if step is None else [step])
    assert index(store)["frames"] == [
        manifest_entry(f"frames/{n:05}.png", frame(n)) for n in range(0 if step is None else 2)
    ]


UNREADABLE = {
    "no JSON": b"{",
    "nothing": b"",
    "another document": b'{"job": {}}',
    "another version": b'{"apiVersion": "checkpoints.videojobs.dev/v9", "uid": "uid-1"}',
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_an_index_that_cannot_be_read_means_anew(second: SimulatedAttempt, store: MemoryStore, content: bytes) -> None:
    store.files[INDEX] = content
    assert second.fetch().resumed_step is None
    assert lying(second) == {}


def edited(store: MemoryStore, edit: Callable[[dict[str, Any]], object]) -> None:
    """Somebody has written into the index, and into the digests as well."""
    body = index(store)
    edit(body)
    store.files[INDEX] = json.dumps(body).encode()


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a frame that climbs": lambda body: body["frames"][0].update(path="frames/../../../00000.png"),
    "a frame elsewhere": lambda body: body["frames"][0].update(path="v.mp4"),
    "a frame from outside": lambda body: body["frames"][0].update(path="/etc/passwd"),
    "a file that climbs": lambda body: [each["files"][0].update(path="../../up") for each in body["checkpoints"]],
    "a file with a line break": lambda body: [each["files"][0].update(path="a\nb") for each in body["checkpoints"]],
    "a folder that climbs": lambda body: body["checkpoints"][0].update(folder=".."),
    "another job's uid": lambda body: body.update(uid="uid-0"),
    "no files": lambda body: body["checkpoints"][0].update(files=[]),
    "more frames than there are": lambda body: [each.update(frames=9) for each in body["checkpoints"]],
}


@pytest.mark.parametrize("trick", HOSTILE)
def test_an_index_that_wants_too_much_gets_nothing(
    second: SimulatedAttempt, store: MemoryStore, tmp_path: Path, trick: str
) -> None:
    for name in ("v.mp4", "/etc/passwd", "frames/../../../00000.png"):
        store.files[name] = frame(0)
    edited(store, HOSTILE[trick])
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(second.io)}
    assert second.fetch().resumed_step is None
    assert lying(second) == {}
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(second.io)} == before


def test_where_nothing_could_go_on_from_it_nothing_is_looked_for(tmp_path: Path, store: MemoryStore) -> None:
    second = SimulatedAttempt.at(tmp_path / "second", store, publishes_checkpoints=False)
    assert second.fetch().resumed_step is None
    assert lying(second) == {}


@pytest.mark.parametrize("error", [CredentialsRefused("no"), OutputNotWritable("a link")])
def test_an_index_that_may_not_be_read_means_anew(
    second: SimulatedAttempt, monkeypatch: pytest.MonkeyPatch, error: AgentError
) -> None:
    def refused(self: MemoryStore, name: str) -> bytes | None:
        raise error

    monkeypatch.setattr(MemoryStore, "read_bytes", refused)
    assert second.fetch().resumed_step is None
    assert str(error) in second.told("checkpoints skipped")[0]["message"]


class Flaky(MemoryStore):
    """Is away when it is asked for a certain file, so often."""

    away: dict[str, int]

    def read(self, name: str) -> Iterator[bytes]:
        if self.away.get(name, 0):
            self.away[name] -= 1
            raise EndpointUnreachable(f"{name} is out of reach")
        return super().read(name)


@pytest.mark.parametrize("name", [NEWEST, "frames/00002.png"])
def test_a_store_that_is_away_for_a_moment_is_asked_again(
    second: SimulatedAttempt, store: MemoryStore, name: str
) -> None:
    naps: list[float] = []
    store.__class__ = Flaky
    store.away = {name: 1}  # type: ignore[attr-defined]
    assert second.fetch(naps=naps).resumed_step == 40
    assert (lying(second), len(naps)) == (after(40, frames=4), 1)


class Counting(MemoryStore):
    """Is away for each file at the first time, and counts how often each was sent whole."""

    def __init__(self, like: MemoryStore) -> None:
        super().__init__(files=like.files)
        self.asked: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()

    def read(self, name: str) -> Iterator[bytes]:
        self.asked[name] += 1
        if self.asked[name] == 1:
            raise EndpointUnreachable(f"{name} is out of reach")
        self.sent[name] += 1
        yield from super().read(name)


def test_a_store_that_comes_and_goes_sends_nothing_twice(tmp_path: Path, store: MemoryStore) -> None:
    flaky = Counting(store)
    second = SimulatedAttempt.at(tmp_path / "second", flaky)
    assert second.fetch().resumed_step == 40
    assert lying(second) == after(40, frames=4)
    assert set(flaky.sent.values()) == {1}
    assert f"{PREFIX}{folder_of(40)}/state" in flaky.sent


class Expired(MemoryStore):
    """Gives nothing out for a while: its keys have run out after some files."""

    refusal: AgentError
    reads: int
    refused: range

    def read(self, name: str) -> Iterator[bytes]:
        self.reads += 1
        if self.reads in self.refused:
            raise self.refusal
        return super().read(name)


def expire(store: MemoryStore, refusal: AgentError, refused: range) -> None:
    """From now on, these reads are refused."""
    store.__class__ = Expired
    store.refusal, store.reads, store.refused = refusal, 0, refused  # type: ignore[attr-defined]


@pytest.mark.parametrize("refusal", [CredentialsRefused("ExpiredToken"), BucketNotFound("b"), StorageRefused("r")])
def test_a_refusal_is_no_damage_and_is_waited_for(
    second: SimulatedAttempt, store: MemoryStore, refusal: AgentError
) -> None:
    expire(store, refusal, range(3, 20))
    naps: list[float] = []
    assert second.fetch(naps=naps).resumed_step == 40
    assert lying(second) == after(40, frames=4)
    assert (resumable_steps(store), bool(naps)) == ([40, 20], True)


def test_a_refusal_that_stays_leaves_the_checkpoints_for_the_next_attempt(
    second: SimulatedAttempt, store: MemoryStore
) -> None:
    expire(store, CredentialsRefused("ExpiredToken"), range(3, 10_000))
    second.orders = second.orders.model_copy(update={"fetch_seconds": 60})
    with pytest.raises(CheckpointRefused, match="ExpiredToken") as refusal:
        second.fetch()
    assert refusal.value.exit_code is ExitCode.INTERNAL
    store.__class__ = MemoryStore
    assert resumable_steps(store) == [40, 20]


def test_a_store_that_stays_away_ends_fetch_with_a_code_that_is_retried(
    second: SimulatedAttempt, store: MemoryStore
) -> None:
    store.__class__ = Flaky
    store.away = {NEWEST: 99}  # type: ignore[attr-defined]
    with pytest.raises(EndpointUnreachable) as refusal:
        second.fetch()
    assert refusal.value.exit_code is ExitCode.INTERNAL
    assert resumable_steps(store) == [40, 20]


def test_a_full_disk_is_told_with_the_remedy(second: SimulatedAttempt, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: SafeDirectory, name: str, to: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SafeDirectory, "move", full)
    with pytest.raises(ScratchFull, match=r"pod\.scratch\.size"):
        second.fetch()


def test_restored_frames_are_not_sent_again_and_new_ones_are(second: SimulatedAttempt, store: MemoryStore) -> None:
    second.fetch()
    store.order.clear()
    second.says(WORKING)
    second.draws(4, 5)
    second.step()
    second.step(after=2)
    assert sorted(store.order) == ["frames/00004.png", "frames/00005.png"]
    published = second.board.current.published
    assert (published.frames, published.bytes) == (6, 6 * len(frame(0)))


def test_a_restored_frame_that_is_drawn_otherwise_is_sent_again(second: SimulatedAttempt, store: MemoryStore) -> None:
    second.fetch()
    (second.io / "output/frames/00002.png").write_bytes(b"another")
    second.says(WORKING)
    second.ends()
    assert store.files["frames/00002.png"] == b"another"


def test_a_frame_that_was_damaged_at_the_output_is_made_good(second: SimulatedAttempt, store: MemoryStore) -> None:
    store.files["frames/00000.png"] = b"damaged"
    second.fetch()
    second.says(WORKING)
    second.draws(0, 1)
    second.ends()
    assert store.files["frames/00000.png"] == frame(0)


def test_the_restored_checkpoint_is_not_sent_again_and_the_next_one_makes_it_the_older(
    second: SimulatedAttempt, store: MemoryStore
) -> None:
    second.fetch()
    store.order.clear()
    second.says(WORKING)
    second.step()
    assert store.order == []
    second.draws(4)
    second.saves(50, frames=5, state=state(50))
    second.step()
    assert resumable_steps(store) == [50, 40]
    assert OLDER not in store.files


def test_three_attempts_leave_what_one_would_have_left(
    tmp_path: Path, second: SimulatedAttempt, store: MemoryStore
) -> None:
    second.fetch()
    second.says(WORKING)
    second.draws(4, 5)
    second.saves(60, frames=6, state=state(60))
    second.ends()
    third = SimulatedAttempt.at(tmp_path / "third", store)
    assert third.fetch().resumed_step == 60
    third.draws(6, 7)
    third.says(COMPLETED, v=b"movie")
    third.step()

    straight = SimulatedAttempt.at(tmp_path / "straight", MemoryStore())
    straight.fetch()
    straight.draws(*range(8))
    straight.says(COMPLETED, v=b"movie")
    straight.step()
    assert isinstance(straight.store, MemoryStore)
    assert store.files == straight.store.files
    assert store.committed == straight.store.committed

"""A finished film and a real store that is away, stands still, loses its bucket or refuses the keys."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from videojob_agent.stores import S3Store
from videojob_agent.stores.s3_client import S3ClientOptions
from videojob_api.messages.plan import OutputPlan
from videojob_api.messages.report import Acknowledgement, ProgressState

from devcluster import Unsupported
from tests.apiserver.agent.s3_server import Gateway, place, s3_gateway, swap_keys
from tests.unit.agent.attempt import SimulatedAttempt, frame

pytestmark = pytest.mark.apiserver

WORKING = "IN_PROGRESS uid-1 40% 7s"
COMPLETED = "COMPLETED uid-1 v.mp4"
FILM = os.urandom(1 << 20) * 40
"""More than two parts of an upload."""
PART = 16 << 20
HOUR = 3600.0


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    try:
        (tmp_path / "s3").mkdir()
        with s3_gateway(tmp_path / "s3") as gateway:
            gateway.server.bucket("art")
            yield gateway
    except Unsupported as reason:
        pytest.skip(str(reason))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return swap_keys(tmp_path / "keys")


class HookedStore(S3Store):
    """Calls `hook` once, when the first part of a large file has been read."""

    hook: Callable[[], object] | None = None

    def put(self, source: BinaryIO, *, name: str, size: int) -> None:
        super().put(Hooked(source, self) if size > PART else source, name=name, size=size)


class Hooked(io.RawIOBase, BinaryIO):
    """A file that tells how far it was read."""

    def __init__(self, source: BinaryIO, store: HookedStore) -> None:
        self._source, self._store = source, store

    def read(self, size: int = -1, /) -> bytes:
        hook = self._store.hook
        if hook and self._source.tell() > PART:
            self._store.hook = None
            hook()
        return self._source.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()


@pytest.fixture
def store(gateway: Gateway, keys: Path) -> HookedStore:
    patience = S3ClientOptions(max_attempts=2, connect_timeout=5, read_timeout=10)
    return HookedStore(place(gateway.server.endpoint), credentials_root=keys, options=patience)


OUTPUT = OutputPlan(s3=place("http://unused"), url="s3://art/videos/waves/uid-1/")


def drawing(folder: Path, store: HookedStore, *, publish_seconds: int) -> SimulatedAttempt:
    """A runner of ours that has drawn two frames."""
    attempt = SimulatedAttempt.at(folder, store, output=OUTPUT, publish_seconds=publish_seconds)
    attempt.says(WORKING)
    attempt.draws(0, 1)
    return attempt


@pytest.fixture
def attempt(store: HookedStore, tmp_path: Path) -> SimulatedAttempt:
    """Its output may wait for six hours."""
    return drawing(tmp_path / "pod", store, publish_seconds=6 * 3600)


def finishes(attempt: SimulatedAttempt) -> None:
    """The runner has encoded its film."""
    attempt.says(COMPLETED, v=FILM)


def is_held(attempt: SimulatedAttempt, *, hours: int = 2) -> bool:
    """Whether the film is still kept after so many hours, a try in each."""
    for _ in range(hours):
        attempt.step(after=HOUR)
    return not attempt.publishing.finished.is_set()


def is_committed(attempt: SimulatedAttempt, gateway: Gateway) -> bool:
    """Whether the runner may end, and everything lies there as it was made."""
    word = Acknowledgement.model_validate_json((attempt.io / ".videojob/published.json").read_bytes())
    lying = gateway.server.lying("art")
    prefix = place("http://unused").prefix
    assert attempt.board.current.progress_state is ProgressState.DONE
    assert {lying[f"{prefix}frames/{number:05}.png"] for number in range(2)} == {frame(0), frame(1)}
    assert hashlib.sha256(lying[prefix + "v.mp4"]).digest() == hashlib.sha256(FILM).digest()
    return word.published and prefix + "manifest.json" in lying


def message(attempt: SimulatedAttempt) -> str:
    return attempt.board.current.warning


def test_a_store_that_is_away_for_hours_gets_the_film_when_it_is_back(
    attempt: SimulatedAttempt, gateway: Gateway
) -> None:
    attempt.step()
    gateway.kill()
    finishes(attempt)
    assert is_held(attempt)
    assert "waits for over 1 hour" in message(attempt)
    assert "restore the storage service. EndpointUnreachable" in message(attempt)
    gateway.start()
    attempt.step(after=60)
    assert is_committed(attempt, gateway)


def test_a_store_that_goes_in_the_middle_of_the_film_gets_it_when_it_is_back(
    attempt: SimulatedAttempt, gateway: Gateway, store: HookedStore
) -> None:
    store.hook = gateway.kill
    finishes(attempt)
    attempt.step()
    assert "EndpointUnreachable" in message(attempt)
    assert is_held(attempt)
    gateway.start()
    attempt.step(after=60)
    assert is_committed(attempt, gateway)


def test_an_upload_goes_on_when_the_store_has_stood_still_for_a_moment(
    attempt: SimulatedAttempt, gateway: Gateway, store: HookedStore
) -> None:
    later = threading.Timer(1, gateway.go_on)

    def stand_still() -> None:
        gateway.pause()
        later.start()

    store.hook = stand_still
    finishes(attempt)
    attempt.step()
    later.join()
    assert is_committed(attempt, gateway)
    assert attempt.told("publishing failed") == []


def test_a_bucket_that_is_made_hours_later_gets_the_film(attempt: SimulatedAttempt, gateway: Gateway) -> None:
    gateway.server.client.delete_bucket(Bucket="art")
    attempt.step()
    finishes(attempt)
    assert is_held(attempt)
    assert "create the bucket. BucketNotFound" in message(attempt)
    gateway.server.bucket("art")
    attempt.step(after=60)
    assert is_committed(attempt, gateway)


def test_keys_that_are_put_right_hours_later_are_used(attempt: SimulatedAttempt, gateway: Gateway, keys: Path) -> None:
    attempt.step()
    gateway.kill()
    gateway.start(secret="rotated-secret-key")
    finishes(attempt)
    assert is_held(attempt)
    assert "correct the Secret's keys or their permissions. CredentialsRefused" in message(attempt)
    swap_keys(keys, secret="mistyped")
    assert is_held(attempt)
    swap_keys(keys, secret="rotated-secret-key")
    attempt.step(after=60)
    gateway.kill()
    gateway.start()
    assert is_committed(attempt, gateway)


def test_keys_that_were_changed_while_the_store_was_away_are_used_at_the_first_try(
    attempt: SimulatedAttempt, gateway: Gateway, keys: Path
) -> None:
    attempt.step()
    gateway.kill()
    attempt.step(after=60)
    gateway.start(secret="rotated-secret-key")
    swap_keys(keys, secret="rotated-secret-key")
    attempt.step(after=60)
    assert [failed["reason"] for failed in attempt.told("publishing failed")] == ["EndpointUnreachable"]


def test_keys_that_are_missing_for_hours_are_used_when_they_are_there(
    attempt: SimulatedAttempt, gateway: Gateway, keys: Path
) -> None:
    (keys / "art-s3").rename(keys / "elsewhere")
    finishes(attempt)
    assert is_held(attempt)
    (keys / "elsewhere").rename(keys / "art-s3")
    attempt.step(after=60)
    assert is_committed(attempt, gateway)


def test_the_same_outage_ends_a_job_that_may_wait_for_less(
    gateway: Gateway, store: HookedStore, tmp_path: Path
) -> None:
    attempt = drawing(tmp_path / "pod", store, publish_seconds=600)
    gateway.kill()
    finishes(attempt)
    assert not is_held(attempt)
    word = Acknowledgement.model_validate_json((attempt.io / ".videojob/published.json").read_bytes())
    assert not word.published
    assert word.failure is not None
    assert word.failure.reason == "EndpointUnreachable"
    assert word.failure.message.startswith("the finished output waited for 10 minutes: s3://art/")


def test_a_checkpoint_that_waits_an_hour_for_its_store_is_there_for_the_next_attempt(
    attempt: SimulatedAttempt, gateway: Gateway, store: HookedStore, tmp_path: Path
) -> None:
    gateway.kill()
    for step in (10, 20, 30):
        attempt.saves(step, frames=2)
        attempt.step(after=1200)
    gateway.start()
    attempt.step(after=60)
    attempt.ends()
    following = SimulatedAttempt.at(tmp_path / "following", store, output=OUTPUT)
    assert following.fetch().resumed_step == 30

"""A job whose first pod is gone goes on from a bucket, and leaves nothing there but its output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from videojob_agent.stores import S3Store
from videojob_agent.stores.s3_client import S3ClientOptions
from videojob_api.messages.plan import OutputPlan
from videojob_api.messages.report import ProgressState

from tests.apiserver.agent.s3_server import Server, place, write_keys
from tests.unit.agent.attempt import SimulatedAttempt, frame, manifest_entry, resumable_steps, state

pytestmark = pytest.mark.apiserver

WORKING = "IN_PROGRESS uid-1 40% 7s"
Begin = Callable[[str], SimulatedAttempt]


@pytest.fixture
def begin(server: Server, bucket: str, tmp_path: Path) -> Begin:
    """Begins an attempt on a disk of its own, with this test's bucket as the output."""
    where, keys = place(server.endpoint, bucket=bucket), write_keys(tmp_path / "keys")
    output = OutputPlan(s3=where, url=f"s3://{bucket}/{where.prefix}")

    def attempt(name: str) -> SimulatedAttempt:
        store = S3Store(where, credentials_root=keys, options=S3ClientOptions(max_attempts=2))
        return SimulatedAttempt.at(tmp_path / name, store, output=output, credentials_root=str(keys))

    return attempt


@pytest.fixture
def first(begin: Begin) -> SimulatedAttempt:
    """A pod that was taken away after its third checkpoint."""
    first = begin("first")
    first.fetch()
    first.says(WORKING)
    first.draws(0)
    for step in (10, 20, 30):
        first.draws(step // 10)
        first.saves(step, frames=1 + step // 10, state=state(step))
        first.step()
    first.ends()
    return first


def lying(server: Server, bucket: str) -> dict[str, bytes]:
    """What lies below the job's prefix."""
    prefix = place(server.endpoint).prefix
    return {key.removeprefix(prefix): content for key, content in server.lying(bucket).items()}


def test_the_bucket_keeps_two_generations(first: SimulatedAttempt, server: Server, bucket: str) -> None:
    assert resumable_steps(first.store) == [30, 20]
    below = "checkpoints/uid-1/step-0000000000"
    assert sorted(name for name in lying(server, bucket) if "step-" in name) == [
        f"{below}20/complete",
        f"{below}20/state",
        f"{below}30/complete",
        f"{below}30/state",
    ]


def test_the_next_pod_goes_on_and_the_end_is_as_if_nothing_had_happened(
    first: SimulatedAttempt, begin: Begin, server: Server, bucket: str
) -> None:
    second = begin("second")
    assert second.fetch().resumed_step == 30
    frames = sorted((second.io / "output/frames").iterdir())
    assert [path.read_bytes() for path in frames] == [frame(number) for number in range(4)]
    assert (second.io / "checkpoints/step-000000000030/state").read_bytes() == state(30)
    second.draws(4)
    second.says("COMPLETED uid-1 v.mp4", v=b"movie")
    second.step()
    assert second.board.current.progress_state is ProgressState.DONE
    found = lying(server, bucket)
    files = json.loads(found["manifest.json"])["files"]
    expected = {f"frames/{number:05}.png": frame(number) for number in range(5)} | {"v.mp4": b"movie"}
    assert files == [manifest_entry(name, content) for name, content in expected.items()]
    assert {name: content for name, content in found.items() if name != "manifest.json"} == expected


def test_an_object_that_was_lost_means_the_generation_before(
    first: SimulatedAttempt, begin: Begin, server: Server, bucket: str
) -> None:
    prefix = place(server.endpoint).prefix
    server.client.delete_object(Bucket=bucket, Key=f"{prefix}checkpoints/uid-1/step-000000000030/state")
    second = begin("second")
    assert second.fetch().resumed_step == 20
    assert len(list((second.io / "output/frames").iterdir())) == 3

"""What happens before the runner: destination, inputs, config.json, in that order."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from videojob_agent.errors import (
    AgentError,
    BucketNotFound,
    CredentialsRefused,
    DigestMismatch,
    EndpointUnreachable,
    InputNotFound,
    OutputOccupied,
    SizeMismatch,
    UnsafePath,
)
from videojob_agent.inputs.fetch import fetch
from videojob_api.contract.exit_codes import ExitCode
from videojob_api.messages.plan import InputPlan, JobPlan, OutputPlan
from videojob_api.messages.report import FetchResult
from videojob_api.resource.storage import Input, VolumeClaim

from tests.support.clock import ManualClock
from tests.unit.agent.fakes import JOB, MemoryStore, inline_input, names_in, plan, string_log

SHA256_OF_HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
MANIFEST_OF_ANOTHER = json.dumps(
    {
        "job": JOB.model_dump() | {"uid": "uid-0"},
        "created": "2026-05-01T12:00:00Z",
        "frames": 0,
        "videos": [],
        "files": [],
    }
).encode()


@pytest.fixture
def io(tmp_path: Path) -> Path:
    return tmp_path / "io"


def run(orders: JobPlan, store: MemoryStore | None = None) -> FetchResult:
    """Fetches, and does not wait for anything."""
    return fetch(
        orders, store or MemoryStore(), log=string_log()[0], sleep=lambda seconds: pytest.fail(f"slept {seconds} s")
    )


def run_for(orders: JobPlan, store: MemoryStore, *, said: list[str] | None = None) -> float:
    """Fetches, waiting where it must; the seconds of it."""
    clock = ManualClock()
    say = (said if said is not None else []).append
    try:
        fetch(orders, store, log=string_log()[0], sleep=clock.sleep, clock=clock, on_message=say)
    finally:
        seconds = clock.now - 1000
    return seconds


def mounted(claim: Path, path: str, *, sub_path: str | None = None, **more: Any) -> InputPlan:
    pvc = VolumeClaim(claim_name="data", sub_path=sub_path)
    return InputPlan(input=Input(path=path, pvc=pvc, **more), mount_path=str(claim))


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    path = tmp_path / "claim"
    (path / "v2/deep").mkdir(parents=True)
    (path / "v2/one.txt").write_text("hello")
    (path / "v2/deep/two.bin").write_bytes(bytes(3 << 20))
    return path


def test_inline_text_and_the_configuration_arrive(io: Path) -> None:
    result = run(plan(io, inputs=[inline_input("notes/a.txt", "héllo")]))
    assert (io / "input/notes/a.txt").read_text() == "héllo"
    assert (io / "input/config.json").read_text() == '{"a": 1}'
    assert (result.files, result.bytes) == (1, 6)


def test_the_runner_may_read_what_was_brought_under_any_user(io: Path) -> None:
    run(plan(io, inputs=[inline_input("a/b.txt")]))
    assert (io / "input/a/b.txt").stat().st_mode & 0o444 == 0o444
    assert (io / "input/a").stat().st_mode & 0o555 == 0o555


@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_a_right_digest_and_size_are_taken(io: Path, prefix: str) -> None:
    run(plan(io, inputs=[inline_input("a", sha256=prefix + SHA256_OF_HELLO, size_bytes=5)]))
    assert (io / "input/a").read_text() == "hello"


@pytest.mark.parametrize(
    ("promise", "error", "says"),
    [
        ({"sha256": "0" * 64}, DigestMismatch, SHA256_OF_HELLO),
        ({"size_bytes": 4}, SizeMismatch, "sizeBytes says 4, found more"),
        ({"size_bytes": 6}, SizeMismatch, "sizeBytes says 6, found 5"),
    ],
)
def test_a_broken_promise_is_told_with_the_input_and_leaves_nothing(
    io: Path, promise: dict[str, Any], error: type[AgentError], says: str
) -> None:
    with pytest.raises(error, match=says) as refusal:
        run(plan(io, inputs=[inline_input("note.txt", **promise)]))
    assert "input 'note.txt'" in str(refusal.value)
    assert refusal.value.exit_code is ExitCode.BAD_INPUT
    assert names_in(io / "input") == []


def unchecked(path: str) -> InputPlan:
    """An input whose name no API server would let through: the agent does not rely on that."""
    return InputPlan(
        input=Input.model_construct(
            path=path, inline="x", s3=None, pvc=None, sha256=None, size_bytes=None, access="Copy"
        )
    )


@pytest.mark.parametrize("path", ["../up", "/etc/cron.d/x", "a/../../b", "nul\0", "config.json", "turn\u202e"])
def test_an_unsafe_name_is_refused_even_when_nobody_checked_it_before(io: Path, path: str) -> None:
    orders = plan(io)
    orders = orders.model_copy(update={"inputs": [unchecked(path)]})
    with pytest.raises(UnsafePath):
        run(orders)
    assert not (io / "input/config.json").exists()


def test_the_configuration_comes_last(io: Path) -> None:
    with pytest.raises(DigestMismatch):
        run(plan(io, inputs=[inline_input("a"), inline_input("b", sha256="0" * 64)]))
    assert (io / "input/a").exists()
    assert not (io / "input/config.json").exists()


def test_a_folder_of_a_claim_is_copied_with_what_is_below(io: Path, claim: Path) -> None:
    result = run(plan(io, inputs=[mounted(claim, "data", sub_path="v2")]))
    assert (io / "input/data/one.txt").read_text() == "hello"
    assert (io / "input/data/deep/two.bin").read_bytes() == bytes(3 << 20)
    assert (result.files, result.bytes) == (2, 5 + (3 << 20))


def test_a_whole_claim_is_copied(io: Path, claim: Path) -> None:
    run(plan(io, inputs=[mounted(claim, "data")]))
    assert (io / "input/data/v2/one.txt").read_text() == "hello"


def test_one_file_of_a_claim_is_copied_and_checked(io: Path, claim: Path) -> None:
    run(plan(io, inputs=[mounted(claim, "note.txt", sub_path="v2/one.txt", sha256=SHA256_OF_HELLO)]))
    assert (io / "input/note.txt").read_text() == "hello"


def test_a_digest_for_a_folder_is_refused(io: Path, claim: Path) -> None:
    with pytest.raises(DigestMismatch, match="apply to a single file"):
        run(plan(io, inputs=[mounted(claim, "data", sub_path="v2", sha256=SHA256_OF_HELLO)]))


def test_a_missing_path_of_a_claim_is_told(io: Path, claim: Path) -> None:
    with pytest.raises(InputNotFound, match=r"input 'data': .*v3: No such file"):
        run(plan(io, inputs=[mounted(claim, "data", sub_path="v3")]))


@pytest.mark.parametrize("trap", ["link", "fifo", "linked folder", "bad name"])
def test_whatever_is_no_plain_file_on_a_claim_is_refused(io: Path, claim: Path, trap: str) -> None:
    match trap:
        case "link":
            (claim / "v2/trap").symlink_to("/etc/passwd")
        case "linked folder":
            (claim / "v2/trap").symlink_to("/etc")
        case "fifo":
            os.mkfifo(claim / "v2/trap")
        case _:
            (claim / "v2/tr\u202eap").touch()
    with pytest.raises(UnsafePath, match="trap"):
        run(plan(io, inputs=[mounted(claim, "data", sub_path="v2")]))


def test_a_claims_path_does_not_lead_through_a_link(io: Path, claim: Path, tmp_path: Path) -> None:
    (claim / "link").symlink_to(tmp_path)
    with pytest.raises(UnsafePath):
        run(plan(io, inputs=[mounted(claim, "data", sub_path="link/claim/v2")]))


def test_a_mounted_input_is_not_copied(io: Path, claim: Path) -> None:
    result = run(plan(io, inputs=[mounted(claim, "data", sub_path="v2", access="Mount")]))
    assert result.files == 0
    assert names_in(io / "input") == ["config.json"]


def test_a_mounted_file_is_checked_when_it_promises_something(io: Path, claim: Path) -> None:
    right = mounted(claim, "a", sub_path="v2/one.txt", access="Mount", sha256=SHA256_OF_HELLO)
    wrong = mounted(claim, "a", sub_path="v2/one.txt", access="Mount", sha256="0" * 64)
    run(plan(io, inputs=[right]))
    with pytest.raises(DigestMismatch):
        run(plan(io, inputs=[wrong]))


def test_a_linked_input_folder_is_not_written_through(io: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    io.mkdir()
    (io / "input").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafePath):
        run(plan(io, inputs=[inline_input("a")]))
    assert names_in(tmp_path / "outside") == []


@pytest.mark.parametrize("refusal", [CredentialsRefused("no"), BucketNotFound("none")])
def test_a_destination_that_refuses_ends_it_before_anything_is_brought(io: Path, refusal: AgentError) -> None:
    with pytest.raises(type(refusal)):
        run(plan(io, inputs=[inline_input("a")]), MemoryStore(refusals=[refusal]))
    assert not io.exists()


def test_a_destination_that_is_away_is_waited_for_and_people_are_told_why(io: Path) -> None:
    said: list[str] = []
    store = MemoryStore(refusals=[EndpointUnreachable("s3://art/ is away")] * 20)
    assert run_for(plan(io, fetch_seconds=1800), store, said=said) > 60
    assert (io / "input/config.json").exists()
    assert "s3://art/ is away" in said[0]
    assert said[-1] == ""


def test_an_input_that_is_away_is_waited_for_like_the_destination(io: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = iter([EndpointUnreachable("away")] * 9)

    def away(orders: InputPlan, *, credentials_root: Path | None) -> Iterator[tuple[str, Iterator[bytes]]]:
        for error in tries:
            raise error
        yield "a", iter([b"hello"])

    monkeypatch.setattr("videojob_agent.inputs.fetch.open_streams", away)
    said: list[str] = []
    run_for(plan(io, inputs=[inline_input("a")]), MemoryStore(), said=said)
    assert (io / "input/a").read_text() == "hello"
    assert "input 'a': away" in said[1]


def test_a_destination_that_stays_away_ends_with_a_code_that_is_retried(io: Path) -> None:
    with pytest.raises(EndpointUnreachable, match="tried for 5 minutes: away") as refusal:
        run_for(plan(io, fetch_seconds=300), MemoryStore(refusals=[EndpointUnreachable("away")] * 999))
    assert refusal.value.exit_code is ExitCode.INTERNAL


def test_words_that_an_earlier_fetch_has_left_are_taken_back(io: Path) -> None:
    said: list[str] = []
    assert run_for(plan(io), MemoryStore(), said=said) == 0
    assert said == [""]


def flat(io: Path) -> JobPlan:
    return plan(io, output=OutputPlan(folder="unused", url="pvc://videos/", exclusive=True))


def test_a_flat_output_with_another_jobs_manifest_is_refused(io: Path) -> None:
    with pytest.raises(OutputOccupied, match="pvc://videos/"):
        run(flat(io), MemoryStore(committed=MANIFEST_OF_ANOTHER))


def test_a_flat_output_with_something_else_under_the_manifests_name_is_refused(io: Path) -> None:
    with pytest.raises(OutputOccupied):
        run(flat(io), MemoryStore(committed=b"not ours"))


def test_a_flat_output_with_this_very_jobs_manifest_is_taken(io: Path) -> None:
    run(flat(io), MemoryStore(committed=MANIFEST_OF_ANOTHER.replace(b"uid-0", JOB.uid.encode())))


def test_a_second_run_in_the_same_pod_replaces_what_the_first_has_brought(io: Path) -> None:
    run(plan(io, inputs=[inline_input("a", "old")]))
    run(plan(io, inputs=[inline_input("a", "new")]))
    assert (io / "input/a").read_text() == "new"


def test_the_digest_used_here_is_the_digest_of_hello() -> None:
    assert hashlib.sha256(b"hello").hexdigest() == SHA256_OF_HELLO

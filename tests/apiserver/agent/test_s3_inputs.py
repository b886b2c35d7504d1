"""Inputs from a bucket, and a whole job with nothing but buckets around it."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from videojob_agent.errors import AgentError, BucketNotFound, DigestMismatch, InputNotFound, SizeMismatch
from videojob_agent.inputs.fetch import fetch
from videojob_agent.sidecar import Sidecar
from videojob_agent.stores import create_store
from videojob_api.messages.plan import InputPlan, JobPlan, OutputPlan
from videojob_api.messages.report import FetchResult, ProgressState
from videojob_api.resource.storage import Input, S3Object

from tests.apiserver.agent.s3_server import Server, place, write_keys
from tests.unit.agent.fakes import MemoryStore, plan, string_log, write_as_runner

pytestmark = pytest.mark.apiserver

CONTENT = bytes(range(256)) * 20_000  # 5 MB: more than one chunk


def from_bucket(
    server: Server, bucket: str, *, path: str = "init.png", key: str = "seeds/init.png", **more: Any
) -> InputPlan:
    where = place(server.endpoint, bucket=bucket)
    source = S3Object(key=key, **where.model_dump(exclude={"prefix"}))
    return InputPlan(input=Input(path=path, s3=source, **more))


def brought(orders: JobPlan) -> FetchResult:
    return fetch(orders, MemoryStore(), log=string_log()[0], sleep=lambda seconds: None)


@pytest.fixture
def seeded(server: Server, bucket: str) -> str:
    """A bucket with one object."""
    server.client.put_object(Bucket=bucket, Key="seeds/init.png", Body=CONTENT)
    return bucket


def test_an_object_arrives_whole_and_checked(server: Server, seeded: str, tmp_path: Path) -> None:
    promise = hashlib.sha256(CONTENT).hexdigest()
    item = from_bucket(server, seeded, sha256=promise, size_bytes=len(CONTENT))
    brought(plan(tmp_path / "io", inputs=[item], credentials_root=str(write_keys(tmp_path / "keys"))))
    assert (tmp_path / "io/input/init.png").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"key": "seeds/none.png"}, InputNotFound, "seeds/none.png"),
        ({"bucket": "no-such-bucket"}, BucketNotFound, "no-such-bucket"),
        ({"sha256": "0" * 64}, DigestMismatch, "input 'init.png'"),
        ({"size_bytes": 7}, SizeMismatch, "sizeBytes says 7"),
    ],
)
def test_what_is_wrong_with_an_object_is_told(
    server: Server, seeded: str, tmp_path: Path, changes: dict[str, Any], error: type[AgentError], says: str
) -> None:
    rest = {name: value for name, value in changes.items() if name != "bucket"}
    item = from_bucket(server, changes.get("bucket", seeded), **rest)
    with pytest.raises(error, match=says):
        brought(plan(tmp_path / "io", inputs=[item], credentials_root=str(write_keys(tmp_path / "keys"))))
    assert not (tmp_path / "io/input/init.png").exists()


def test_a_public_object_needs_no_keys(
    server: Server, seeded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{seeded}/*"}
    server.client.put_bucket_policy(
        Bucket=seeded, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    item = from_bucket(server, seeded)
    assert item.input.s3 is not None
    public = item.input.s3.model_copy(update={"credentials": None})
    item = InputPlan(input=item.input.model_copy(update={"s3": public}))
    brought(plan(tmp_path / "io", inputs=[item]))
    assert (tmp_path / "io/input/init.png").read_bytes() == CONTENT


def test_a_job_with_a_bucket_on_both_sides(server: Server, seeded: str, tmp_path: Path) -> None:
    io, gone, where = tmp_path / "io", threading.Event(), place(server.endpoint, bucket=seeded)
    output = OutputPlan(s3=where, url=f"s3://{seeded}/{where.prefix}")
    keys = write_keys(tmp_path / "keys")
    orders = plan(io, inputs=[from_bucket(server, seeded)], output=output, credentials_root=str(keys))
    store = create_store(output, credentials_root=keys)
    fetch(orders, store, log=string_log()[0], sleep=lambda seconds: None)
    write_as_runner(io, "COMPLETED uid-1 v.mp4", frames__0=b"frame", v=b"movie")
    gone.set()
    last = Sidecar(
        plan=orders, store=store, runner_exited=gone, log=string_log()[0], on_report=lambda report: None
    ).run()
    lying = {key.removeprefix(where.prefix): content for key, content in server.lying(seeded).items()}
    manifest = json.loads(lying["manifest.json"])
    assert last.state is ProgressState.DONE
    assert last.published is not None
    assert last.published.manifest_digest == "sha256:" + hashlib.sha256(lying["manifest.json"]).hexdigest()
    assert {file["path"]: file["sha256"] for file in manifest["files"]} == {
        "frames/0.png": hashlib.sha256(b"frame").hexdigest(),
        "v.mp4": hashlib.sha256(b"movie").hexdigest(),
    }

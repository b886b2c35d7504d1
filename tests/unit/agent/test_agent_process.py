"""The two containers as processes: environment in, exit code and termination message out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from videojob_api.messages.plan import JobPlan, OutputPlan

from tests.unit.agent.fakes import inline_input, plan, write_as_runner


def environment(orders: JobPlan, log: Path) -> Mapping[str, str]:
    mine = {
        "VIDEOJOB_PLAN": orders.model_dump_json(by_alias=True, exclude_none=True),
        "VIDEOJOB_TERMINATION_LOG": str(log),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return {**os.environ, **mine}


def fetch(orders: JobPlan, log: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "videojob_agent", "fetch"]
    return subprocess.run(
        command, env=environment(orders, log), capture_output=True, text=True, timeout=60, check=False
    )


def message(log: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(log.read_text())
    return body


def test_a_good_fetch_ends_with_0_and_says_what_it_brought(tmp_path: Path) -> None:
    done = fetch(plan(tmp_path / "io", inputs=[inline_input("a.txt")]), tmp_path / "log")
    assert done.returncode == 0, done.stderr
    assert message(tmp_path / "log") == {"files": 1, "bytes": 5}
    assert (tmp_path / "io/input/a.txt").read_text() == "hello"


def test_a_wrong_input_ends_with_65_and_the_reason(tmp_path: Path) -> None:
    done = fetch(plan(tmp_path / "io", inputs=[inline_input("note.txt", sha256="0" * 64)]), tmp_path / "log")
    assert done.returncode == 65
    failure = message(tmp_path / "log")["failure"]
    assert failure["reason"] == "DigestMismatch"
    assert "note.txt" in failure["message"]


def test_missing_keys_end_with_65_and_name_the_secret(tmp_path: Path) -> None:
    s3 = {"bucket": "art", "endpoint": "http://127.0.0.1:9", "credentials": {"secretName": "art-s3"}}
    output = OutputPlan.model_validate({"s3": s3, "url": "s3://art/"})
    done = fetch(plan(tmp_path / "io", output=output, credentials_root=str(tmp_path)), tmp_path / "log")
    assert done.returncode == 65
    failure = message(tmp_path / "log")["failure"]
    assert failure["reason"] == "CredentialsRefused"
    assert "secret 'art-s3' must hold AWS_ACCESS_KEY_ID" in failure["message"]


def test_a_store_that_is_away_is_told_in_a_note_while_fetch_waits_and_then_with_its_end(tmp_path: Path) -> None:
    s3 = {"bucket": "art", "endpoint": "http://127.0.0.1:9", "credentials": {"secretName": "art-s3"}}
    output = OutputPlan.model_validate({"s3": s3, "url": "s3://art/"})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        (tmp_path / "art-s3").mkdir(exist_ok=True)
        (tmp_path / "art-s3" / name).write_text("key")
    orders = plan(tmp_path / "io", output=output, credentials_root=str(tmp_path), fetch_seconds=1)
    done = fetch(orders, tmp_path / "log")
    assert done.returncode == 70
    failure = message(tmp_path / "log")["failure"]
    assert failure["reason"] == "EndpointUnreachable"
    assert "tried for 1 second: s3://art/" in failure["message"]
    assert "until" in (tmp_path / "io/.videojob/fetch").read_text()
    assert json.loads(done.stdout.splitlines()[0])["event"] == "fetch waits"


def test_an_error_nobody_expects_still_leaves_last_words(tmp_path: Path) -> None:
    done = fetch(plan(tmp_path / "io", output=OutputPlan(url="nowhere")), tmp_path / "log")
    assert done.returncode == 70
    assert message(tmp_path / "log")["failure"]["reason"] == "AgentFailed"
    assert "Traceback" in done.stderr


def test_no_plan_is_told_with_the_variable(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "videojob_agent", "watch"]
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "VIDEOJOB_PLAN" in done.stderr


def wait_until(true: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        if time.monotonic() > deadline or process.poll() is not None:
            pytest.fail(f"never came true; the process ended with {process.poll()}")
        time.sleep(0.02)


@pytest.fixture
def watch(tmp_path: Path) -> Any:
    io = tmp_path / "io"
    io.mkdir()
    command = [sys.executable, "-m", "videojob_agent", "watch"]
    with subprocess.Popen(
        command, env=environment(plan(io), tmp_path / "log"), stdout=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: (tmp_path / "log").exists() and (tmp_path / "log").stat().st_size, process)
        yield process
        process.kill()


def test_sigterm_after_completed_publishes_and_ends_with_0(watch: subprocess.Popen[str], tmp_path: Path) -> None:
    write_as_runner(tmp_path / "io", "COMPLETED uid-1 v.mp4", v=b"movie")
    watch.send_signal(signal.SIGTERM)
    output, _ = watch.communicate(timeout=30)
    assert watch.returncode == 0
    assert message(tmp_path / "log")["state"] == "done"
    assert (tmp_path / "published/manifest.json").exists()
    assert [json.loads(line)["event"] for line in output.splitlines()] == ["publishing ended", "watch ended"]


def test_sigterm_in_the_middle_leaves_the_last_state(watch: subprocess.Popen[str], tmp_path: Path) -> None:
    write_as_runner(tmp_path / "io", "IN_PROGRESS uid-1 40% 7s", frames__0=b"frame")
    watch.send_signal(signal.SIGTERM)
    watch.communicate(timeout=30)
    assert watch.returncode == 0
    last = message(tmp_path / "log")
    assert (last["state"], last["percent"]) == ("running", 40)
    assert (tmp_path / "published/frames/0.png").read_bytes() == b"frame"


def test_sigkill_leaves_the_words_of_the_moment_before(watch: subprocess.Popen[str], tmp_path: Path) -> None:
    write_as_runner(tmp_path / "io", "COMPLETED uid-1 v.mp4", v=b"movie")
    wait_until(lambda: message(tmp_path / "log")["state"] == "done", watch)
    watch.kill()
    watch.communicate(timeout=30)
    assert message(tmp_path / "log")["published"]["manifestDigest"].startswith("sha256:")


def test_a_watch_that_has_published_stays_because_a_sidecar_that_ends_is_started_anew(
    watch: subprocess.Popen[str], tmp_path: Path
) -> None:
    write_as_runner(tmp_path / "io", "COMPLETED uid-1 v.mp4", v=b"movie")
    wait_until(lambda: message(tmp_path / "log")["state"] == "done", watch)
    assert watch.poll() is None

"""The three threads together: STATUS in, files and reports out, until the runner is gone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from videojob_agent.errors import EndpointUnreachable
from videojob_agent.inputs.fetch_note import FetchNote
from videojob_agent.report.reporter import ReportResponse
from videojob_agent.sidecar import Sidecar
from videojob_api.messages.report import ProgressState, Report

from tests.unit.agent.fakes import MemoryStore, RecordingEndpoint, details_of, plan, string_log, write_as_runner

WORKING = "IN_PROGRESS uid-1 40% 7s"
COMPLETED = "COMPLETED uid-1 v.mp4"


@dataclass
class Job:
    """A watch under way, its runner played by the test."""

    io: Path
    store: MemoryStore
    endpoint: RecordingEndpoint
    gone: threading.Event
    said: list[Report]
    result: Future[Report]

    def until(self, true: Callable[[], object]) -> None:
        """Returns when the watch has come so far; fails after a minute."""
        deadline = time.monotonic() + 60
        while not true():
            if time.monotonic() > deadline or self.result.done():
                pytest.fail(f"never came true; said {self.said[-1:]}")
            threading.Event().wait(0.01)

    def end(self) -> Report:
        """The runner ends; the last report."""
        self.gone.set()
        return self.result.result(timeout=60)


Start = Callable[..., Job]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    jobs: list[Job] = []
    io = tmp_path / "io"
    io.mkdir()

    def begin(store: MemoryStore | None = None, endpoint: RecordingEndpoint | None = None, **changes: Any) -> Job:
        said: list[Report] = []
        job = Job(io, store or MemoryStore(), endpoint or RecordingEndpoint(), threading.Event(), said, Future())
        watch = Sidecar(
            plan=plan(io, **{"flush_seconds": 2} | changes),
            store=job.store,
            runner_exited=job.gone,
            log=string_log()[0],
            on_report=said.append,
            endpoint=job.endpoint,
        )
        job.result = pool.submit(watch.run)
        jobs.append(job)
        return job

    with ThreadPoolExecutor(1) as pool:
        yield begin
        for job in jobs:
            job.gone.set()


def test_a_job_from_its_first_word_to_its_manifest(start: Start) -> None:
    job = start()
    write_as_runner(job.io, WORKING, frames__0=b"frame")
    job.until(lambda: any(report.percent == 40 for report in job.said))
    write_as_runner(job.io, COMPLETED, frames__0=b"frame", v=b"movie")
    job.until((job.io / ".videojob/published.json").exists)
    last = job.end()
    assert last.state is ProgressState.DONE
    assert set(job.store.files) == {"frames/0.png", "v.mp4"}
    assert job.store.committed is not None
    assert job.said[-1].published == last.published
    assert job.endpoint.bodies[-1]["state"] == "done"


def test_why_fetch_waits_is_reported_until_it_goes_on(start: Start) -> None:
    job = start()
    note = FetchNote(str(job.io), log=string_log()[0])
    note.write("fetch waits for its bucket")
    job.until(lambda: any(body["message"] == "fetch waits for its bucket" for body in job.endpoint.bodies))
    assert job.endpoint.bodies[-1]["state"] == "starting"
    note.write("")
    job.until(lambda: job.said[-1].message == "")
    job.end()


def test_last_words_are_left_before_anything_can_happen_to_the_pod(start: Start) -> None:
    job = start()
    job.until(lambda: job.said)
    assert job.said[0].state is ProgressState.STARTING


def test_a_last_word_written_just_before_the_end_is_seen(start: Start) -> None:
    job = start()
    write_as_runner(job.io, WORKING)
    job.until(lambda: any(report.percent == 40 for report in job.said))
    write_as_runner(job.io, COMPLETED, v=b"movie")
    assert job.end().state is ProgressState.DONE


def test_an_interrupted_runner_leaves_its_last_state(start: Start) -> None:
    job = start()
    (job.io / "STATUS.json").write_text(details_of(WORKING, framesDone=3, framesTotal=9))
    write_as_runner(job.io, WORKING, frames__0=b"frame")
    last = job.end()
    assert (last.state, last.percent, last.frames_done) == (ProgressState.RUNNING, 40, 3)
    assert last.failure is None
    assert list(job.store.files) == ["frames/0.png"]


def test_an_operator_that_is_away_changes_nothing_for_the_video(start: Start) -> None:
    job = start(endpoint=RecordingEndpoint([EndpointUnreachable("nobody")]))
    write_as_runner(job.io, COMPLETED, v=b"movie")
    assert job.end().state is ProgressState.DONE


def test_an_operator_that_is_slow_does_not_hold_up_the_video(start: Start) -> None:
    answer = threading.Event()

    class Slow(RecordingEndpoint):
        def post(self, body: bytes) -> ReportResponse:
            answer.wait(10)
            return super().post(body)

    job = start(endpoint=Slow())
    write_as_runner(job.io, COMPLETED, v=b"movie")
    job.until(lambda: job.store.committed)
    job.until(lambda: job.said[-1].state is ProgressState.DONE)
    answer.set()
    job.end()


def test_a_store_that_is_slow_does_not_hide_progress(start: Start) -> None:
    go_on = threading.Event()

    class Slow(MemoryStore):
        def put(self, source: BinaryIO, *, name: str, size: int) -> None:
            go_on.wait(10)
            super().put(source, name=name, size=size)

    job = start(store=Slow())
    write_as_runner(job.io, "FAILED uid-1", frames__0=b"frame")
    job.until(lambda: any(report.state is ProgressState.FAILED for report in job.said))
    assert job.store.files == {}
    go_on.set()
    job.end()


def test_publishing_that_takes_long_is_told_before_the_pod_may_be_killed_and_goes_on(start: Start) -> None:
    go_on = threading.Event()

    class Slow(MemoryStore):
        def put(self, source: BinaryIO, *, name: str, size: int) -> None:
            go_on.wait(60)
            super().put(source, name=name, size=size)

    job = start(store=Slow(), flush_seconds=1)
    write_as_runner(job.io, COMPLETED, v=b"movie")
    job.gone.set()
    job.until(lambda: job.said and "terminationGracePeriodSeconds" in job.said[-1].message)
    assert job.said[-1].state is ProgressState.FINISHING
    go_on.set()
    assert job.result.result(timeout=60).state is ProgressState.DONE


def test_an_error_nobody_expects_ends_the_watch(start: Start) -> None:
    class Broken(MemoryStore):
        def manifest(self) -> bytes | None:
            raise ZeroDivisionError

    job = start(store=Broken())
    with pytest.raises(ZeroDivisionError):
        job.result.result(timeout=60)


def test_without_an_operator_nothing_is_reported_and_all_else_is_the_same(tmp_path: Path) -> None:
    gone, io, store = threading.Event(), tmp_path / "io", MemoryStore()
    io.mkdir()
    write_as_runner(io, COMPLETED, v=b"movie")
    gone.set()
    watch = Sidecar(plan=plan(io), store=store, runner_exited=gone, log=string_log()[0], on_report=lambda report: None)
    assert watch.run().state is ProgressState.DONE


def test_the_log_tells_the_job_and_what_happened_and_no_prompt(tmp_path: Path) -> None:
    gone, io, (events, log) = threading.Event(), tmp_path / "io", string_log()
    io.mkdir()
    (io / "STATUS.json").write_text(details_of(COMPLETED, message="a red circle"))
    write_as_runner(io, COMPLETED, v=b"movie")
    gone.set()
    orders = plan(io, config='{"prompts": "a red circle"}')
    Sidecar(plan=orders, store=MemoryStore(), runner_exited=gone, log=events, on_report=lambda report: None).run()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["publishing ended"]
    assert {(line["namespace"], line["name"], line["uid"]) for line in lines} == {("night", "waves", "uid-1")}
    assert "red circle" not in log.getvalue()

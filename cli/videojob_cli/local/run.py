"""
Runs one VideoJob on this machine with the code that fetch, runner and agent use in a pod.

Fetch runs first, then the runner as a process and the agent's watch beside it in a thread; when the runner has ended,
the watch is told, as the kubelet would, and publishes what is left.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from videojob_agent.errors import AgentError
from videojob_agent.inputs.fetch import fetch
from videojob_agent.json_log import JsonLog
from videojob_agent.sidecar import Sidecar
from videojob_agent.status.state import AgentState
from videojob_agent.stores import Store, create_store
from videojob_agent.wait_message import utc_now
from videojob_api.contract.launch import RunMode
from videojob_api.messages.plan import JobPlan
from videojob_api.messages.report import ProgressState, Report
from videojob_api.resource.spec import VideoJobSpec

from videojob_cli.errors import EXIT_JOB_FAILED, CommandFailed
from videojob_cli.local.runner_process import RunnerProcess

AGENT_LOG = "agent.log"
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class LocalRunResult:
    """Result of a run: the last report, the command's exit code, and the end of the runner's log."""

    report: Report
    exit_code: int
    log: str


def run_locally(
    plan: JobPlan, spec: VideoJobSpec, *, mode: RunMode, show: Callable[[Report], object]
) -> LocalRunResult:
    """Runs the whole job; `show` gets each new state. Raises CommandFailed when it could not even begin."""
    io = Path(plan.io_path)
    with (io / AGENT_LOG).open("w") as stream:
        events = JsonLog(plan.job, component="local", stream=stream)
        store = create_store(plan.output, credentials_root=None)
        try:
            fetch(plan, store, log=events, sleep=time.sleep, on_message=partial(_show_wait, plan, show))
        except AgentError as error:
            raise CommandFailed(f"{error.failure.reason}: {error}", exit_code=error.exit_code) from error
        runner = RunnerProcess(spec, io, mode=mode)
        with _forward_signals(runner):
            report, code = _watch(plan, store, runner, events=events, show=show)
    return LocalRunResult(report, command_exit_code(report, runner=code), runner.log_tail())


def _show_wait(plan: JobPlan, show: Callable[[Report], object], words: str) -> None:
    """Shows why fetch waits."""
    show(AgentState(fetch_message=words).to_report(plan.job.uid, sequence=0, time=utc_now()))


def command_exit_code(report: Report, *, runner: int) -> int:
    """The command's exit code: 0 only when the job is published."""
    return 0 if report.state is ProgressState.DONE else runner or EXIT_JOB_FAILED


def _watch(
    plan: JobPlan, store: Store, runner: RunnerProcess, *, events: JsonLog, show: Callable[[Report], object]
) -> tuple[Report, int]:
    """Watches the runner to its end; the last report and the runner's exit code."""
    runner_exited = threading.Event()
    watch = Sidecar(plan=plan, store=store, runner_exited=runner_exited, log=events, on_report=show)
    with ThreadPoolExecutor(1, thread_name_prefix="watch") as threads:
        watching = threads.submit(watch.run)
        try:
            while (code := runner.exit_code(within=POLL_SECONDS)) is None:
                if watching.done():  # it ends by itself only when it broke, and then nobody publishes
                    runner.kill()
        finally:
            runner_exited.set()
        return watching.result(), code


@contextmanager
def _forward_signals(runner: RunnerProcess) -> Iterator[None]:
    """Passes Ctrl-C and SIGTERM on to the runner, and leaves no runner behind."""

    def stop(*_: object) -> None:
        runner.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        runner.kill()
        for number, handler in before.items():
            signal.signal(number, handler)

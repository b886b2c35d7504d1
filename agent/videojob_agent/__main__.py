"""
The two containers of this package: `videojob-agent fetch` before the runner, `videojob-agent watch` beside it.

Input is the environment: the plan, and the CA of the progress endpoint. Output is a termination message and, for fetch,
an exit code; the exit code of `watch` has no effect and is 0 unless the agent itself fails.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pydantic import ValidationError
from videojob_api.contract.exit_codes import ExitCode
from videojob_api.contract.layout import CA_VARIABLE, PLAN_VARIABLE
from videojob_api.messages.plan import JobPlan
from videojob_api.messages.report import Failure, FetchResult, Report

from videojob_agent.errors import AgentError
from videojob_agent.inputs.fetch import fetch
from videojob_agent.inputs.fetch_note import FetchNote
from videojob_agent.json_log import JsonLog
from videojob_agent.report.endpoint import HttpsEndpoint
from videojob_agent.report.termination_message import TerminationMessage
from videojob_agent.sidecar import Sidecar
from videojob_agent.status.state import AgentState
from videojob_agent.stores import create_store
from videojob_agent.wait_message import utc_now

TERMINATION_LOG_VARIABLE = "VIDEOJOB_TERMINATION_LOG"
TERMINATION_LOG_PATH = "/dev/termination-log"


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentSettings:
    """The environment, parsed once."""

    plan: JobPlan
    ca_pem: str | None
    termination_message: TerminationMessage

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> AgentSettings:
        """The settings in an environment. Raises ValidationError for a bad plan."""
        return cls(
            plan=JobPlan.model_validate_json(environment.get(PLAN_VARIABLE, "")),
            ca_pem=environment.get(CA_VARIABLE) or None,
            termination_message=TerminationMessage(
                Path(environment.get(TERMINATION_LOG_VARIABLE, TERMINATION_LOG_PATH))
            ),
        )


def run_fetch(settings: AgentSettings) -> int:
    """Run fetch and return its exit code; exits with INTERRUPTED on SIGTERM."""
    plan, log = settings.plan, JsonLog(settings.plan.job, component="fetch")
    signal.signal(signal.SIGTERM, _interrupted)  # PID 1 would ignore it otherwise
    try:
        store = create_store(plan.output, credentials_root=_credentials_root(plan))
        on_message = FetchNote(plan.io_path, log=log).write
        result, code = fetch(plan, store, log=log, sleep=time.sleep, on_message=on_message), ExitCode.DONE
    except AgentError as error:
        result, code = FetchResult(failure=error.failure), error.exit_code
    except Exception as error:  # noqa: BLE001 - whatever it is, the user must find it in the pod's status
        traceback.print_exc()
        result, code = FetchResult(failure=_unexpected(error)), ExitCode.INTERNAL
    _write_termination_message(settings, result, log)
    log("fetch ended", code=int(code), reason=result.failure.reason if result.failure else None)
    return code


def run_watch(settings: AgentSettings) -> int:
    """Run the sidecar until SIGTERM and until all is published or given up; return the exit code."""
    plan, log, runner_exited = settings.plan, JsonLog(settings.plan.job, component="agent"), threading.Event()
    _set_on_signal(runner_exited)
    try:
        endpoint = HttpsEndpoint(plan.report, ca_pem=settings.ca_pem) if plan.report else None
        store = create_store(plan.output, credentials_root=_credentials_root(plan))
        on_message = partial(_write_termination_message, settings, log=log)
        report = Sidecar(
            plan=plan, store=store, runner_exited=runner_exited, log=log, on_report=on_message, endpoint=endpoint
        ).run()
    except Exception as error:  # noqa: BLE001 - the same
        traceback.print_exc()
        report = AgentState(failure=_unexpected(error)).to_report(plan.job.uid, sequence=0, time=utc_now())
        _write_termination_message(settings, report, log)
        return ExitCode.INTERNAL
    log("watch ended", state=report.state, reason=report.failure.reason if report.failure else None)
    return ExitCode.DONE


def _write_termination_message(settings: AgentSettings, message: Report | FetchResult, log: JsonLog) -> None:
    """Write the termination message; failing to write it must not fail the job."""
    try:
        settings.termination_message.write(message)
    except OSError as error:
        log("termination message not written", message=str(error))


def main() -> NoReturn:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="videojob-agent", description=__doc__)
    parser.add_argument("part", choices=("fetch", "watch"))
    part = parser.parse_args().part
    try:
        settings = AgentSettings.from_environment(os.environ)
    except ValidationError as error:
        sys.exit(f"{PLAN_VARIABLE} must hold the job's plan as JSON: {error}")
    sys.exit(run_fetch(settings) if part == "fetch" else run_watch(settings))


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(ExitCode.INTERRUPTED)


def _set_on_signal(runner_exited: threading.Event) -> None:
    """
    Set `runner_exited` on SIGTERM or SIGINT, from a thread: a handler may interrupt a wait that holds the event's lock.
    """
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # inherited by every thread started later

    def wait() -> None:
        signal.sigwait(ends)
        runner_exited.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()


def _credentials_root(plan: JobPlan) -> Path | None:
    return Path(plan.credentials_root) if plan.credentials_root else None


def _unexpected(error: Exception) -> Failure:
    return Failure(reason="AgentFailed", message=f"{type(error).__name__}: {error}"[:1024])


if __name__ == "__main__":
    main()

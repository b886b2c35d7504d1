"""
The two containers of this package: `videojob-agent fetch` before the runner, `videojob-agent watch` beside it.

Everything they need comes in the environment: the plan, and the authority of the progress endpoint. What they leave is
a termination message, and for fetch an exit code; the exit code of the watch decides nothing and is 0 unless it broke.
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
from videojob_agent.json_log import Events
from videojob_agent.report.endpoint import HttpsEndpoint
from videojob_agent.report.termination_message import LastWords
from videojob_agent.sidecar import Watch
from videojob_agent.status.state import Known
from videojob_agent.stores import store_for
from videojob_agent.wait_message import utc_now

MESSAGE_VARIABLE = "VIDEOJOB_TERMINATION_LOG"
MESSAGE_PATH = "/dev/termination-log"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The environment, parsed once."""

    plan: JobPlan
    authority: str | None
    last_words: LastWords

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in an environment. Raises ValidationError for a bad plan."""
        return cls(
            plan=JobPlan.model_validate_json(environment.get(PLAN_VARIABLE, "")),
            authority=environment.get(CA_VARIABLE) or None,
            last_words=LastWords(Path(environment.get(MESSAGE_VARIABLE, MESSAGE_PATH))),
        )


def run_fetch(settings: Settings) -> int:
    """Fetches; the exit code. Ends with INTERRUPTED on SIGTERM."""
    plan, events = settings.plan, Events(settings.plan.job, part="fetch")
    signal.signal(signal.SIGTERM, _interrupted)  # PID 1 would ignore it otherwise
    try:
        store = store_for(plan.output, credentials_root=_credentials_root(plan))
        say = FetchNote(plan.io_path, events=events).say
        result, code = fetch(plan, store, events=events, sleep=time.sleep, say=say), ExitCode.DONE
    except AgentError as error:
        result, code = FetchResult(failure=error.failure), error.exit_code
    except Exception as error:  # noqa: BLE001 - whatever it is, the user must find it in the pod's status
        traceback.print_exc()
        result, code = FetchResult(failure=_unexpected(error)), ExitCode.INTERNAL
    _say(settings, result, events)
    events("fetch ended", code=int(code), reason=result.failure.reason if result.failure else None)
    return code


def run_watch(settings: Settings) -> int:
    """Watches until SIGTERM and all is published or given up; the exit code."""
    plan, events, gone = settings.plan, Events(settings.plan.job, part="agent"), threading.Event()
    _set_on_signal(gone)
    try:
        endpoint = HttpsEndpoint(plan.report, authority=settings.authority) if plan.report else None
        store = store_for(plan.output, credentials_root=_credentials_root(plan))
        say = partial(_say, settings, events=events)
        report = Watch(plan=plan, store=store, gone=gone, events=events, say=say, endpoint=endpoint).run()
    except Exception as error:  # noqa: BLE001 - the same
        traceback.print_exc()
        report = Known(failure=_unexpected(error)).report(plan.job.uid, sequence=0, time=utc_now())
        _say(settings, report, events)
        return ExitCode.INTERNAL
    events("watch ended", state=report.state, reason=report.failure.reason if report.failure else None)
    return ExitCode.DONE


def _say(settings: Settings, message: Report | FetchResult, events: Events) -> None:
    """Leaves last words; a message file that takes none must not stop a video."""
    try:
        settings.last_words.say(message)
    except OSError as error:
        events("termination message not written", message=str(error))


def main() -> NoReturn:
    """The command line."""
    parser = argparse.ArgumentParser(prog="videojob-agent", description=__doc__)
    parser.add_argument("part", choices=("fetch", "watch"))
    part = parser.parse_args().part
    try:
        settings = Settings.of(os.environ)
    except ValidationError as error:
        sys.exit(f"{PLAN_VARIABLE} must hold the job's plan as JSON: {error}")
    sys.exit(run_fetch(settings) if part == "fetch" else run_watch(settings))


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(ExitCode.INTERRUPTED)


def _set_on_signal(gone: threading.Event) -> None:
    """Sets `gone` on SIGTERM or SIGINT, from a thread: a handler may interrupt a wait that holds the event's lock."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # inherited by every thread started later

    def wait() -> None:
        signal.sigwait(ends)
        gone.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()


def _credentials_root(plan: JobPlan) -> Path | None:
    return Path(plan.credentials_root) if plan.credentials_root else None


def _unexpected(error: Exception) -> Failure:
    return Failure(reason="AgentFailed", message=f"{type(error).__name__}: {error}"[:1024])


if __name__ == "__main__":
    main()

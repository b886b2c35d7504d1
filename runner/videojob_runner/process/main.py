"""
The runner's outermost loop: from the command line to the exit code, whatever happens on the way.

Every failure after the command line is understood becomes FAILED in STATUS, a reason and a sentence in STATUS.json, the
same sentence in the log, and an exit code; this is the one place that catches everything. What a run does stands in
`run_job`.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence

from videojob_api.contract.exit_codes import ExitCode
from videojob_api.contract.launch import RunMode
from videojob_api.contract.layout import AWAIT_PUBLISHED_VARIABLE

from videojob_runner.contract.acknowledgement import wait_until_published
from videojob_runner.contract.io_folder import IoFolder
from videojob_runner.contract.status import StatusWriter
from videojob_runner.engine.device import TorchDevice
from videojob_runner.engine.registry import load_engine
from videojob_runner.errors import BadConfig, Interrupted, NotPublished, RunnerError
from videojob_runner.process.command_line import CommandLine, parse_command_line
from videojob_runner.process.failures import to_failure
from videojob_runner.process.signals import StopFlag
from videojob_runner.run.environment import RuntimeEnvironment
from videojob_runner.run.job import run_job, warm_up_engines

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """The whole program; returns the exit code. Takes over SIGTERM and SIGINT."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    environment, stop = dict(os.environ), StopFlag()
    try:
        options = parse_command_line(sys.argv[1:] if arguments is None else arguments, environment)
    except BadConfig as error:
        log.error("%s", error)
        return error.exit_code
    stop.install()
    world = RuntimeEnvironment(
        environment=environment,
        stop=stop,
        clock=time.monotonic,
        sleep=time.sleep,
        load_engine=load_engine,
        choose_device=_choose_device,
    )
    return run(options, world)


def _choose_device(environment: Mapping[str, str]) -> TorchDevice:
    from videojob_runner.process.cuda import choose_device  # noqa: PLC0415 - imports torch, which TEST must not

    return choose_device(environment)


def run(options: CommandLine, world: RuntimeEnvironment) -> int:
    """One run in one mode; returns the exit code and raises nothing that is ours."""
    status = None
    try:
        if options.mode is RunMode.SETUP:
            warm_up_engines(world)
            return ExitCode.DONE
        folder = IoFolder.from_environment(world.environment)
        status = StatusWriter(folder.root, clock=world.clock)
        run_job(options.mode, world, folder, status, test_seconds=options.test_duration)
    except Interrupted as error:
        log.warning("%s", error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - every failure must become a STATUS line
        return _failed(status, error)
    return _wait_for_agent(options, world, folder=folder, uid=status.uid)


def _failed(status: StatusWriter | None, error: Exception) -> int:
    """Says what went wrong to everybody who might ask; SETUP has nobody but the log."""
    failure = to_failure(error)
    log.error("%s: %s", failure.reason, failure.message, exc_info=None if isinstance(error, RunnerError) else error)
    try:
        if status is not None:
            status.failed(failure)
    except OSError as write_error:
        log.error("STATUS cannot be written either: %s", write_error)
    return error.exit_code if isinstance(error, RunnerError) else ExitCode.INTERNAL


def _wait_for_agent(options: CommandLine, world: RuntimeEnvironment, *, folder: IoFolder, uid: str) -> int:
    """STATUS is final; where an agent publishes, stay until it has."""
    if options.mode is RunMode.TEST_FAIL or world.environment.get(AWAIT_PUBLISHED_VARIABLE) != "1":
        return ExitCode.DONE
    try:
        log.info("done; waiting for the agent to publish")
        wait_until_published(folder.root, uid, sleep=world.sleep)
    except NotPublished as error:
        log.error("not published: %s", error)
        return error.exit_code
    return ExitCode.DONE

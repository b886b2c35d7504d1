"""Command and environment of a runner, shared by the operator (pod) and the command line (process)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from videojob_api.contract import layout
from videojob_api.resource.spec import VideoJobSpec

MODE_OPTION = "--mode"
TEST_DURATION_OPTION = "--test_duration"


class RunMode(StrEnum):
    """Run mode: value of `--mode` and VIDEOJOB_MODE, in any case."""

    PROD = "PROD"
    TEST = "TEST"
    TEST_FAIL = "TEST_FAIL"
    SETUP = "SETUP"


def run_mode(spec: VideoJobSpec) -> RunMode:
    """The mode that the spec asks for."""
    if spec.test is None:
        return RunMode.PROD
    return RunMode.TEST_FAIL if spec.test.fail else RunMode.TEST


def runner_command(spec: VideoJobSpec, mode: RunMode, *, program: Sequence[str]) -> list[str]:
    """`program`, which is a runner of ours, with the options for `mode`."""
    duration = [f"{TEST_DURATION_OPTION}={spec.test.duration_seconds}"] if spec.test else []
    return [*program, f"{MODE_OPTION}={mode}", *duration]


def runner_environment(spec: VideoJobSpec, mode: RunMode, *, io_path: str) -> dict[str, str]:
    """The runner's environment variables: the user's, which cannot replace ours; a custom one awaits nothing."""
    custom = spec.pipeline.custom
    users = {item.name: item.value for item in [*((custom.env if custom else None) or []), *(spec.runner.env or [])]}
    ours = {
        layout.IO_PATH_VARIABLE: io_path,
        layout.MODE_VARIABLE: mode.value,
        layout.ACCELERATOR_VARIABLE: spec.runner.accelerator,
    }
    return users | ours | ({} if custom else {layout.AWAIT_PUBLISHED_VARIABLE: "1"})

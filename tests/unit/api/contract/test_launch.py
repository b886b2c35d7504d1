"""Command and environment of a runner, the same in a pod and on a laptop."""

from typing import Any

import pytest
from videojob_api.contract.launch import RunMode, run_mode, runner_command, runner_environment
from videojob_api.resource.spec import VideoJobSpec

from tests import corpus


def spec(edits: dict[str, Any]) -> VideoJobSpec:
    return VideoJobSpec.model_validate(corpus.with_edits(corpus.BASE, edits)["spec"])


@pytest.mark.parametrize(
    ("test", "mode"),
    [(None, "PROD"), ({}, "TEST"), ({"fail": False}, "TEST"), ({"fail": True}, "TEST_FAIL")],
)
def test_the_spec_says_the_mode(test: Any, mode: str) -> None:
    assert run_mode(spec({"spec.test": test})) == mode


def test_a_command_holds_the_mode_and_how_long_a_test_takes() -> None:
    program = ("python3", "exec.py")
    tested = spec({"spec.test": {"durationSeconds": 7}})
    assert runner_command(tested, RunMode.TEST, program=program) == [*program, "--mode=TEST", "--test_duration=7"]
    assert runner_command(spec({}), RunMode.PROD, program=program) == [*program, "--mode=PROD"]
    assert runner_command(spec({}), RunMode.TEST, program=program) == [*program, "--mode=TEST"]


def test_the_users_variables_reach_the_runner_and_cannot_replace_ours() -> None:
    env = [{"name": "OMP_NUM_THREADS", "value": "1"}, {"name": "VIDEO_IO_PATH", "value": "/elsewhere"}]
    ours = spec({"spec.runner": {"accelerator": "None", "env": env}})
    assert runner_environment(ours, RunMode.TEST, io_path="/io") == {
        "OMP_NUM_THREADS": "1",
        "VIDEO_IO_PATH": "/io",
        "VIDEOJOB_MODE": "TEST",
        "VIDEOJOB_ACCELERATOR": "None",
        "VIDEOJOB_AWAIT_PUBLISHED": "1",
    }


def test_a_custom_program_s_variables_come_before_the_runner_s_and_it_waits_for_nothing() -> None:
    env = [{"name": "COLOUR", "value": "red"}, {"name": "SIZE", "value": "1"}]
    runner = {"image": "example.com/mine:1", "accelerator": "None", "env": [{"name": "COLOUR", "value": "blue"}]}
    foreign = spec({"spec.pipeline": {"custom": {"env": env}}, "spec.runner": runner})
    assert runner_environment(foreign, RunMode.PROD, io_path="/io") == {
        "COLOUR": "blue",
        "SIZE": "1",
        "VIDEO_IO_PATH": "/io",
        "VIDEOJOB_MODE": "PROD",
        "VIDEOJOB_ACCELERATOR": "None",
    }

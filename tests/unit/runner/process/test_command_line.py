"""The command line: what it takes, what it refuses, and its defaults."""

import pytest
from videojob_api.contract.launch import RunMode
from videojob_runner.errors import BadConfig
from videojob_runner.process.command_line import CommandLine, parse_command_line


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], CommandLine(RunMode.TEST, 10)),
        (["--mode=PROD"], CommandLine(RunMode.PROD, 10)),
        (["-m", "test_fail", "-d", "3"], CommandLine(RunMode.TEST_FAIL, 3)),
        (["--mode", "Setup"], CommandLine(RunMode.SETUP, 10)),
        (["--test_duration=0"], CommandLine(RunMode.TEST, 0)),
        (["--test-duration", "600"], CommandLine(RunMode.TEST, 600)),
    ],
)
def test_the_contracts_flags_are_understood_in_any_case(arguments: list[str], options: CommandLine) -> None:
    assert parse_command_line(arguments, {}) == options


def test_the_environment_names_the_mode_when_the_command_line_does_not() -> None:
    assert parse_command_line([], {"VIDEOJOB_MODE": "PROD"}).mode is RunMode.PROD
    assert parse_command_line(["--mode=TEST"], {"VIDEOJOB_MODE": "PROD"}).mode is RunMode.TEST


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--mode=PRODUCTION"], "'PRODUCTION' is not a mode; choose one of PROD, TEST, TEST_FAIL, SETUP"),
        (["--mode="], "'' is not a mode"),
        (["-d", "-1"], "-d"),
        (["-d", "2.5"], "'2.5' must be a whole number of seconds"),
        (["-d", "²"], "must be a whole number"),
        (["--colour"], "--colour"),
        (["PROD"], "PROD"),
    ],
)
def test_anything_else_is_refused_and_says_what_would_be_right(arguments: list[str], says: str) -> None:
    with pytest.raises(BadConfig, match=says.replace("(", r"\(")):
        parse_command_line(arguments, {})

"""
The command line, `exec.py --mode=PROD|TEST|TEST_FAIL|SETUP --test_duration=10`, read before anything is touched.

    PROD       real work by the pipeline's engine
    TEST       simulated frames and a real mp4, spread over `--test_duration` seconds; needs no torch
    TEST_FAIL  the same frames, then FAILED; ends with 0, because the test has gone as planned
    SETUP      loads every engine and its default models once, to warm caches in an image build; touches no IO folder
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from videojob_api.contract.launch import MODE_OPTION, TEST_DURATION_OPTION, RunMode
from videojob_api.contract.layout import MODE_VARIABLE

from videojob_runner.errors import BadConfig

DEFAULT_TEST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The parsed command line; `test_duration` in seconds, ≥ 0."""

    mode: RunMode = RunMode.TEST
    test_duration: int = DEFAULT_TEST_SECONDS


class _Parser(argparse.ArgumentParser):
    """Argparse ends with 2 by itself; the contract says 64."""

    def error(self, message: str) -> NoReturn:
        raise BadConfig(f"{message}; try --help")


def parse_command_line(arguments: Sequence[str], environment: Mapping[str, str]) -> CommandLine:
    """The options, by default VIDEOJOB_MODE or TEST, and 10 s. Raises BadConfig, and SystemExit for --help."""
    parser = _Parser(prog="exec.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "-m", MODE_OPTION, default=environment.get(MODE_VARIABLE, RunMode.TEST), help="default %(default)s"
    )
    parser.add_argument(
        *("-d", TEST_DURATION_OPTION, "--test-duration"),
        type=_seconds,
        default=DEFAULT_TEST_SECONDS,
        help="default %(default)s s",
    )
    parsed = parser.parse_args(arguments)
    return CommandLine(mode=parse_mode(parsed.mode), test_duration=parsed.test_duration)


def parse_mode(word: str) -> RunMode:
    """The mode that `word` names, in any case. Raises BadConfig with the choices."""
    if word.upper() not in RunMode.__members__:
        raise BadConfig(f"{word!r} is not a mode; choose one of {', '.join(RunMode)}", field=MODE_OPTION)
    return RunMode(word.upper())


def _seconds(word: str) -> int:
    if not word.isascii() or not word.isdigit():
        raise argparse.ArgumentTypeError(f"{word!r} must be a whole number of seconds ≥ 0")
    return int(word)

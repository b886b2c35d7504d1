"""The process's edge: help, bad settings, and log lines that machines can read."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
from videojob_operator.__main__ import JsonFormatter


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The operator as a process, without any environment of ours."""
    command = [sys.executable, "-m", "videojob_operator", *arguments]
    path = {"PYTHONPATH": ":".join(("api", "operator")), "PATH": "/usr/bin"}
    return subprocess.run(command, env=path | environment, capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_variable_and_starts_nothing() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "VIDEOJOB_AGENT_IMAGE" in done.stdout
    assert "(required)" in done.stdout


def test_a_bad_setting_ends_with_two_and_one_line() -> None:
    done = run(VIDEOJOB_NAMESPACE="a", VIDEOJOB_AGENT_IMAGE="b", VIDEOJOB_STATUS_PORT="many")
    assert done.returncode == 2
    assert done.stderr.startswith("VIDEOJOB_STATUS_PORT: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["plain", 'quotes " and\nlines', "\x1b[31mred"])
def test_a_log_line_is_one_json_object(text: str) -> None:
    record = logging.LogRecord("videojob", logging.INFO, "x.py", 1, "said: %s", (text,), None)
    record.fields = {"namespace": "art", "attempt": 2}
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert (found["message"], found["level"], found["namespace"], found["attempt"]) == (
        f"said: {text}",
        "INFO",
        "art",
        2,
    )


def test_a_traceback_travels_in_its_line() -> None:
    try:
        raise ValueError("inside")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "failed", (), sys.exc_info())
    assert "ValueError: inside" in json.loads(JsonFormatter().format(record))["traceback"]

"""
`make test`: every level of the tests, one after the other, with the seconds of each step.

A level that this machine cannot run is reported as skipped with the reason, never as passed. The exit code is 1 when a
step failed; later levels still run, so one run tells everything.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE = "the whole node"
DAILY = ("check", "verify", "unit", "apiserver", "e2e")
"""What `make test` runs. `make judge` is asked for by name: it scores the model packs, which change rarely."""


@dataclass(frozen=True)
class Step:
    """One command of a level; `level` is what `make LEVEL` runs alone."""

    level: str
    title: str
    command: Sequence[str]


@dataclass(frozen=True)
class Result:
    """How a step ended: `passed`, `FAILED` or `skipped: reason`, and its seconds."""

    step: Step
    verdict: str
    seconds: float


def python(*arguments: str) -> list[str]:
    """A command in this interpreter."""
    return [sys.executable, *arguments]


def pytest(*arguments: str) -> list[str]:
    """A pytest command; the ten slowest tests are named, since slow tests are a bug."""
    return python("-m", "pytest", "-q", "--durations=5", *arguments)


STEPS = (
    Step("check", "format, lint, types, imports, budgets", ["make", "-s", "check", f"VENV={sys.prefix}"]),
    Step("verify", "generated files", ["make", "-s", "verify", f"VENV={sys.prefix}"]),
    Step("unit", "unit tests", pytest("tests/unit", "-n", "2")),
    Step("apiserver", "build of API server, etcd and helm", python("-m", "devcluster", "build", "--level", "api")),
    # A process each: every folder brings the definition in its own way, on an API server of its own.
    *(
        Step("apiserver", f"{part} on a real API server", pytest(f"tests/apiserver/{part}"))
        for part in ("devcluster", "api", "agent", "chart", "operator")
    ),
    Step("judge", "prompt-following, judged", pytest("tests/judge", "tests/e2e/test_steering.py")),
    Step("e2e", "build of the node's parts", python("-m", "devcluster", "build", "--level", "node")),
    Step("e2e", f"tests on {NODE}", pytest("tests/e2e", "-m", "not judge")),
)


def reason_to_skip(step: Step) -> str | None:
    """Why this machine cannot run a step; None when it can."""
    if step.level == "e2e" and platform.system() != "Linux":
        return f"{NODE} needs Linux, this is {platform.system()}"
    if step.level == "e2e" and os.geteuid() != 0:
        return f"{NODE} needs root (network namespace, containerd)"
    return None


def run(step: Step) -> Result:
    """Runs one step, its output straight to the terminal."""
    reason = reason_to_skip(step)
    if reason:
        return Result(step, f"skipped: {reason}", 0.0)
    print(f"\n== {step.title}", flush=True)
    begin = time.monotonic()
    code = subprocess.run(step.command, cwd=ROOT, check=False).returncode
    return Result(step, "passed" if code == 0 else "FAILED", time.monotonic() - begin)


def main(levels: Sequence[str]) -> int:
    """Runs the named levels, or all; prints the table of steps."""
    known = {step.level for step in STEPS}
    unknown = set(levels) - known
    if unknown:
        print(f"unknown level {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    results = [run(step) for step in STEPS if step.level in (levels or DAILY)]
    print()
    for result in results:
        print(f"{result.seconds:7.1f} s  {result.step.title}: {result.verdict}")
    print(f"{sum(result.seconds for result in results):7.1f} s  altogether")
    return 1 if any(result.verdict == "FAILED" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

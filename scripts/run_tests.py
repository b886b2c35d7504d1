"""
`make test`: every level of the tests, with the seconds of each step.

What computes (check, unit tests) and what mostly waits (API servers, builds) run side by side, each step's output shown
whole when it ends; the whole node then has the machine to itself. A level that this machine cannot run is reported as
skipped with the reason, never as passed. The exit code is 1 when a step failed; later levels still run, so one run
tells everything.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE_LABEL = "the whole node"
DEFAULT_LEVELS = ("check", "verify", "unit", "apiserver", "e2e")
""" What `make test` runs. `make fidelity` is asked for by name: it scores the model packs, which change rarely. So are
`make resume`, which takes pods away at many more moments than a daily test has time for, and `make soak`, half an hour
of jobs that wait for the same device.
"""
NODE_LEVELS = ("e2e", "soak", "resume")


@dataclass(frozen=True)
class SuiteStep:
    """One command of a level; `level` is what `make LEVEL` runs alone."""

    level: str
    title: str
    command: Sequence[str]


@dataclass(frozen=True)
class StepResult:
    """How a step ended: `passed`, `FAILED` or `skipped: reason`, and its seconds."""

    step: SuiteStep
    verdict: str
    seconds: float


def python_command(*arguments: str) -> list[str]:
    """A command in this interpreter."""
    return [sys.executable, *arguments]


def pytest_command(*arguments: str) -> list[str]:
    """A pytest command; the ten slowest tests are named, since slow tests are a bug."""
    return python_command("-m", "pytest", "-q", "--durations=5", *arguments)


CPU_STEPS = (
    SuiteStep("check", "format, lint, types, imports, budgets", ["make", "-s", "check", f"VENV={sys.prefix}"]),
    SuiteStep("verify", "generated files", ["make", "-s", "verify", f"VENV={sys.prefix}"]),
    SuiteStep("unit", "unit tests", pytest_command("tests/unit", "-n", "2")),
    SuiteStep("e2e", "layers of the runner's image", python_command("-m", "scripts.deploy")),
)
API_BUILD = SuiteStep(
    "apiserver", "build of API server, etcd and helm", python_command("-m", "devcluster", "build", "--level", "api")
)
THROTTLED = "tests/apiserver/operator/test_throttled_controller.py"
"""Two minutes at the rate of a slow Job controller, nearly all of them waiting."""
WAITING_STEPS = (API_BUILD, SuiteStep("apiserver", "a throttled Job controller", pytest_command(THROTTLED)))
IO_STEPS = (
    API_BUILD,
    # A process each: every folder brings the definition in its own way, on an API server of its own.
    *(
        SuiteStep(
            "apiserver",
            f"{part} on a real API server",
            pytest_command(f"tests/apiserver/{part}", "--ignore", THROTTLED),
        )
        for part in ("devcluster", "api", "agent", "chart", "demo", "operator")
    ),
    *(
        SuiteStep(level, "build of the node's parts", python_command("-m", "devcluster", "build", "--level", "node"))
        for level in NODE_LEVELS
    ),
)
EXCLUSIVE_STEPS = (
    SuiteStep("fidelity", "fidelity to prompts and sources", pytest_command("tests/fidelity")),
    SuiteStep("e2e", f"tests on {NODE_LABEL}", pytest_command("tests/e2e", "-m", "not resume and not soak")),
    SuiteStep("soak", f"thirty jobs for one device on {NODE_LABEL}", pytest_command("tests/e2e", "-m", "soak")),
    SuiteStep(
        "resume", f"ten moments for each form on {NODE_LABEL}", pytest_command("tests/e2e/test_ten_moments.py", "-rP")
    ),
)
LANES = (CPU_STEPS, IO_STEPS, WAITING_STEPS)
STEPS = (*CPU_STEPS, *IO_STEPS, *WAITING_STEPS, *EXCLUSIVE_STEPS)


def skip_reason(step: SuiteStep) -> str | None:
    """Why this machine cannot run a step; None when it can."""
    if step.level in NODE_LEVELS and platform.system() != "Linux":
        return f"{NODE_LABEL} needs Linux, this is {platform.system()}"
    if step.level in NODE_LEVELS and os.geteuid() != 0:
        return f"{NODE_LABEL} needs root (network namespace, containerd)"
    return None


def run_step(step: SuiteStep, *, shown: bool = True) -> StepResult:
    """Runs one step; its output goes straight to the terminal, or, not `shown`, there in one piece at the end."""
    reason = skip_reason(step)
    if reason:
        return StepResult(step, f"skipped: {reason}", 0.0)
    if shown:
        print(f"\n== {step.title}", flush=True)
    begin = time.monotonic()
    with tempfile.TemporaryFile() as kept:
        into = None if shown else kept
        code = subprocess.run(step.command, cwd=ROOT, check=False, stdout=into, stderr=into).returncode
        kept.seek(0)
        text = kept.read().decode(errors="replace")
    seconds = time.monotonic() - begin
    if not shown:
        print(f"\n== {step.title}: {seconds:.0f} s\n{text}", end="", flush=True)
    return StepResult(step, "passed" if code == 0 else "FAILED", seconds)


def run_parallel(lanes: Sequence[Sequence[SuiteStep]]) -> list[StepResult]:
    """Runs lanes of steps at the same time, the steps of each in their order; a lone lane is shown as it goes."""

    def one(lane: Sequence[SuiteStep]) -> list[StepResult]:
        return [run_step(step, shown=len(lanes) == 1) for step in lane]

    with ThreadPoolExecutor(max(len(lanes), 1)) as pool:
        return [result for results in pool.map(one, lanes) for result in results]


def main(levels: Sequence[str]) -> int:
    """Runs the named levels, or all; prints the table of steps."""
    known = {step.level for step in STEPS}
    unknown = set(levels) - known
    if unknown:
        print(f"unknown level {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    begin, wanted = time.monotonic(), levels or DEFAULT_LEVELS
    lanes = [[step for step in lane if step.level in wanted] for lane in LANES]
    results = run_parallel([lane for lane in lanes if lane])
    results += [run_step(step) for step in EXCLUSIVE_STEPS if step.level in wanted]
    print()
    for result in results:
        print(f"{result.seconds:7.1f} s  {result.step.title}: {result.verdict}")
    print(f"{time.monotonic() - begin:7.1f} s  in total")
    return 1 if any(result.verdict == "FAILED" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

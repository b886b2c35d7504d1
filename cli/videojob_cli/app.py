"""
`videojob`: the commands.

    videojob run MANIFEST             the same VideoJob without a cluster: fetch, runner, publishing as processes here
    videojob pack convert CHECKPOINT  a public checkpoint becomes a model pack
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from videojob_api.contract.exit_codes import ExitCode
from videojob_api.contract.launch import RunMode, run_mode
from videojob_api.contract.layout import MANIFEST
from videojob_api.messages.plan import JobPlan
from videojob_api.resource.videojob import VideoJob

from videojob_cli.commands.pack import pack_app
from videojob_cli.display import ProgressDisplay
from videojob_cli.errors import CommandFailed
from videojob_cli.local.manifest_file import load_videojob
from videojob_cli.local.plan import LocalPaths, build_local_plan
from videojob_cli.local.run import LocalRunResult, run_locally

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(pack_app, name="pack")
console = Console(stderr=True)


JOB_MODES = tuple(mode for mode in RunMode if mode is not RunMode.SETUP)
"""Run modes available for a VideoJob; SETUP is only for building images."""


def parse_mode(word: str) -> RunMode:
    """The mode called `word`. Raises BadParameter with the choices."""
    if word not in JOB_MODES:
        raise typer.BadParameter(f"{word!r} is not one of {', '.join(JOB_MODES)}.")
    return RunMode(word)


@app.callback()
def root() -> None:
    """Render videos from a VideoJob manifest."""


@app.command()
def run(
    manifest: Annotated[Path, typer.Argument(help="YAML file with one VideoJob", exists=True, dir_okay=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            help="folder used instead of the output's claim or bucket [default: the claim's folder, or the bucket]"
        ),
    ] = None,
    io: Annotated[
        Path | None, typer.Option(help="empty working folder, kept afterwards [default: a temporary one]")
    ] = None,
    mode: Annotated[
        RunMode | None,
        typer.Option(
            parser=parse_mode,
            metavar=f"<{'|'.join(JOB_MODES)}>",
            help="[default: TEST when the spec says test, else PROD]",
        ),
    ] = None,
    claims: Annotated[Path, typer.Option(help="folder with one subfolder per claim, by name")] = Path(),
) -> None:
    """
    Runs a VideoJob on this machine, without a cluster.

    Exit codes are the runner's: 0 published, 64 bad config, 65 bad input or no device, 70 internal error, 74 not
    published, 75 interrupted; 1 when the job has failed although the runner ended with 0.
    """
    try:
        job = load_videojob(manifest)
        with _io_folder(io) as folder:
            places = LocalPaths(io=folder, output=output, claims=claims)
            plan = build_local_plan(job, places, now=datetime.now().astimezone())
            outcome = _run(job, plan, mode)
            _print_outcome(outcome, plan)
            if outcome.exit_code:
                raise typer.Exit(outcome.exit_code)
    except CommandFailed as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(error.exit_code) from error


def main() -> NoReturn:
    """Run the command line; never returns."""
    app()
    raise SystemExit(0)


def _run(job: VideoJob, plan: JobPlan, mode: RunMode | None) -> LocalRunResult:
    if job.spec.pipeline.custom is not None:
        image, where = job.spec.runner.image, plan.io_path
        raise CommandFailed(
            "pipeline.custom runs its own container, which this command does not start; start it yourself:\n"
            f"  docker run --rm --user $(id -u):$(id -g) -v {where}:/video_io {image}"
        )
    with ProgressDisplay(job.metadata.name, console=console) as display:
        return run_locally(plan, job.spec, mode=mode or run_mode(job.spec), show=display.update)


def _print_outcome(outcome: LocalRunResult, plan: JobPlan) -> None:
    """Print the location of the output, or the error."""
    report = outcome.report
    if outcome.exit_code == ExitCode.DONE:
        for name in [*(report.published.videos if report.published else []), MANIFEST]:
            print(f"{plan.output.folder}/{name}" if plan.output.folder else f"{plan.output.url}{name}")  # noqa: T201
        return
    failure = report.failure
    reason = f"{failure.reason}: {failure.message}" if failure else f"ended while {report.state}"
    console.print(f"{outcome.log}\n", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{plan.job.name} failed: {reason}", style="red", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _io_folder(wanted: Path | None) -> Iterator[Path]:
    """The folder to work in: the user's, kept; or a temporary one, kept when something goes wrong."""
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        if any(wanted.iterdir()):
            raise CommandFailed(f"--io {wanted} must be empty: files of an earlier run would be published again")
        yield wanted.resolve()
        return
    folder, is_good = Path(tempfile.mkdtemp(prefix="videojob-")).resolve(), False
    try:
        yield folder
        is_good = True
    finally:
        if is_good or not any(folder.iterdir()):
            shutil.rmtree(folder)
        else:
            console.print(f"The IO folder is kept: {folder}", markup=False, highlight=False, soft_wrap=True)

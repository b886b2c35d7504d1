"""The command line: `videojob run MANIFEST` renders a VideoJob on this machine, with its status on the screen."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from videojob_api.exit_codes import ExitCode
from videojob_api.report import Report
from videojob_api.videojob import VideoJob

from videojob_cli.local import CannotRunHere, Folders, LocalRun
from videojob_cli.manifests import BadManifest, read_videojob
from videojob_cli.screen import Screen

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
console = Console()

LAST_LINES = 15


@app.callback()
def videojob() -> None:
    """Makes videos from VideoJob manifests."""


@app.command()
def run(
    manifest: Annotated[Path, typer.Argument(help="a YAML file with one VideoJob", exists=True, dir_okay=False)],
    output: Annotated[Path | None, typer.Option(help="publish below this folder instead of spec.output")] = None,
    claims: Annotated[Path, typer.Option(help="holds a folder for each volume claim, by name")] = Path(),
    io: Annotated[Path | None, typer.Option(help="keep the runner's IO folder here")] = None,
) -> None:
    """Renders a VideoJob without a cluster; ends with the runner's exit code."""
    try:
        job = read_videojob(manifest)
    except BadManifest as error:
        console.print(f"[red]{error}", highlight=False)
        raise typer.Exit(ExitCode.BAD_CONFIG) from error
    with tempfile.TemporaryDirectory(prefix="videojob-") as scratch:
        folder = (io or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        folders = Folders(
            io=folder,
            claims=claims.absolute(),
            output=output.absolute() if output else None,
            log=Path(scratch) / "runner.log",
        )
        raise typer.Exit(_run(job, folders))


def _run(job: VideoJob, folders: Folders) -> int:
    """Runs with a screen; the exit code."""
    try:
        with Screen(console, job.metadata.name) as screen:
            code, last = LocalRun(videojob=job, folders=folders, show=screen.show).run()
    except CannotRunHere as error:
        console.print(f"[red]{error}", highlight=False)
        return ExitCode.BAD_CONFIG
    _say_how_it_ended(code, last, folders.log)
    return code


def _say_how_it_ended(code: int, last: Report, log: Path) -> None:
    if code == ExitCode.DONE and last.published:
        console.print(f"[green]{', '.join(last.published.videos)} and {last.published.frames} frames", highlight=False)
        console.print(f"{last.published.url}", highlight=False, soft_wrap=True)
        return
    if last.failure:
        console.print(f"[red]{last.failure.reason}: {last.failure.message}", highlight=False)
    else:
        console.print(f"[red]the runner ended with exit code {code}", highlight=False)
        for line in log.read_text(errors="replace").splitlines()[-LAST_LINES:]:
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def main() -> None:
    """Entry point of `videojob` and `kubectl videojob`."""
    app()

"""
`videojob pack convert`: public checkpoints into packs.

The work is the runner's, in a process of its own: the command line knows no torch, and a checkpoint from the internet
is never opened in the process of whoever typed the command.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from videojob_api.contract.exit_codes import ExitCode

pack_app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
CONVERTER = "videojob_runner.convert"
REQUIRED_MODULES = ("safetensors", "taming", "torch")
"""Modules that the converter needs in addition to those of the command line."""


@pack_app.callback()
def pack_root() -> None:
    """Model packs: folders with pack.json and safetensors."""


@pack_app.command()
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="file written by torch.save or TorchScript", exists=True, dir_okay=False)
    ],
    output: Annotated[Path, typer.Argument(help="folder to create; its name becomes the pack's name")],
    *,
    config: Annotated[
        Path | None, typer.Option(help="yaml file of a VQGAN; without it the checkpoint is read as CLIP", exists=True)
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="SPDX expression of the weights' licence [default: NOASSERTION]")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="expected SHA-256 of the checkpoint, as published")] = None,
    inert: Annotated[
        list[str] | None, typer.Option(help="class in the checkpoint that is read as an empty placeholder; repeatable")
    ] = None,
) -> None:
    """
    Turns a public VQGAN or CLIP checkpoint into a pack.

    Nothing that the checkpoint brings is run. Prints the pack's folder and its digest. Exit codes: 0 done, 64 wrong
    request or yaml file, 65 weights that do not fit, 66 a checkpoint that could run code.
    """
    if missing := [name for name in REQUIRED_MODULES if importlib.util.find_spec(name) is None]:
        typer.echo(f"converting needs {', '.join(missing)}: pip install 'videojob[cli,convert]'", err=True)
        raise typer.Exit(ExitCode.BAD_CONFIG)
    options = {"--config": config, "--licence": licence, "--sha256": sha256}
    given = [f"{name}={value}" for name, value in options.items() if value is not None]
    placeholders = [f"--inert={name}" for name in inert or []]
    # After "--" a file name that begins with a dash is no option.
    command = [sys.executable, "-m", CONVERTER, *given, *placeholders, "--", str(checkpoint), str(output)]
    raise typer.Exit(subprocess.run(command, check=False).returncode)

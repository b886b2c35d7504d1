"""`python -m videojob_runner.convert`: the process behind `videojob pack convert`, where torch is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from videojob_api.contract.exit_codes import ExitCode

from videojob_runner.convert.request import LICENCE_UNKNOWN, ConversionRequest
from videojob_runner.convert.vqgan import convert_vqgan
from videojob_runner.errors import RunnerError
from videojob_runner.models.packs.reader import Pack


def main(arguments: Sequence[str] | None = None) -> int:
    """Converts as the command line says; the exit code: 0, 64 wrong request, 65 wrong file, 66 could run code."""
    options = parser().parse_args(arguments)
    try:
        pack = convert(options)
    except RunnerError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return int(error.exit_code)
    except OSError as error:
        print(f"the pack cannot be written: {error}", file=sys.stderr)  # noqa: T201
        return int(ExitCode.INTERNAL)
    print(f"{pack.folder} {pack.digest}")  # noqa: T201
    return 0


def convert(options: argparse.Namespace) -> Pack:
    """The pack that the options ask for. Raises RunnerError."""
    request = ConversionRequest(
        checkpoint=options.checkpoint,
        output=options.output,
        licence=options.licence,
        sha256=options.sha256,
        placeholder_classes=tuple(options.inert),
    )
    if options.config is not None:
        return convert_vqgan(request, config=options.config)
    from videojob_runner.convert.clip import convert_clip  # noqa: PLC0415 - openai-clip takes seconds to import

    return convert_clip(request)


def parser() -> argparse.ArgumentParser:
    """The options, which are those of `videojob pack convert`."""
    made = argparse.ArgumentParser(prog="videojob_runner.convert", allow_abbrev=False)
    made.add_argument("checkpoint", type=Path)
    made.add_argument("output", type=Path)
    made.add_argument("--config", type=Path)
    made.add_argument("--licence", default=LICENCE_UNKNOWN)
    made.add_argument("--sha256")
    made.add_argument("--inert", action="append", default=[])
    return made


if __name__ == "__main__":
    sys.exit(main())

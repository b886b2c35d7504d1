"""
How we call ffmpeg: argument vectors, never a shell; local files only; its last words kept for the error message.

A file's name reaches ffmpeg behind `file:`, so that neither a leading dash nor a colon in it means anything, and the
protocol list keeps a playlist that somebody calls a video from opening a connection or another protocol.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import IO, Final

import imageio_ffmpeg

QUIET: Final = ("-hide_banner", "-loglevel", "error", "-nostats")
LOCAL_ONLY: Final = ("-protocol_whitelist", "file,pipe")
"""Stands before each input."""
_LAST_WORDS: Final = 5


def ffmpeg_path() -> str:
    """The program. IMAGEIO_FFMPEG_EXE in the environment names a system ffmpeg instead of the bundled one."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def ffmpeg_version() -> str:
    """The ffmpeg in use, as it names itself."""
    answer = subprocess.run([ffmpeg_path(), "-version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.match(r"ffmpeg version (\S+)", answer.stdout)
    return found[1] if found else "unknown"


def input_arguments(path: Path) -> tuple[str, ...]:
    """The arguments that open a local file."""
    return (*LOCAL_ONLY, "-i", f"file:{path}")


def stderr_tail(said: IO[str]) -> str:
    """The end of what ffmpeg wrote to a file of ours."""
    said.seek(0)
    return tail(said.read())


def tail(text: str) -> str:
    """The last lines of what ffmpeg said, as one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_WORDS:]) or "no error output"

"""
Everything the runner raises on purpose; each error knows its exit code and the reason that machines read.

RunnerError
├── BadConfig           64  config.json or the command line is wrong
├── BadInput            65  an input is missing, wrong or refused
│   └── NoDevice        65  an accelerator is required and none can be used
├── UnsafeCheckpoint    66  weights or a checkpoint that could run code, or whose digest is wrong
├── EncodingFailed      70  the frames could not be made into a video
├── NotPublished        74  the agent has given up publishing
└── Interrupted         75  stopped by a signal after saving; not a failure
"""

from __future__ import annotations

from typing import ClassVar

from videojob_api.contract.exit_codes import ExitCode


class RunnerError(Exception):
    """Base. `reason` is CamelCase for machines (the class's name), the text a sentence that names the remedy."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    @property
    def reason(self) -> str:
        """The word that goes into STATUS.json and, through the agent, into the resource."""
        return type(self).__name__


class BadConfig(RunnerError):
    """The configuration must change; `field` is its path there, as the user wrote it (may be empty)."""

    exit_code = ExitCode.BAD_CONFIG

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class BadInput(RunnerError):
    """A file that the configuration names is missing or is not what it must be."""

    exit_code = ExitCode.BAD_INPUT


class NoDevice(BadInput):
    """`accelerator: Required`, but no device can be used; the text holds the versions of driver and CUDA."""


class UnsafeCheckpoint(RunnerError):
    """Weights in a format that can run code, or with another digest than promised."""

    exit_code = ExitCode.UNSAFE_CHECKPOINT


class EncodingFailed(RunnerError):
    """ffmpeg failed or left no playable file; the text ends with its last words."""


class NotPublished(RunnerError):
    """The agent could not publish the finished output."""

    exit_code = ExitCode.NOT_PUBLISHED


class Interrupted(RunnerError):
    """Raised between two steps after SIGTERM, when the checkpoint is safe; an engine lets it pass through."""

    exit_code = ExitCode.INTERRUPTED

"""
The agent's exceptions; the class name is the reason in the VideoJob's conditions.

AgentError
├── PermanentError       the spec, its data or its rights must be corrected; fetch exits with 65
│   ├── InputNotFound
│   ├── SizeMismatch
│   ├── DigestMismatch
│   ├── UnsafePath
│   ├── CredentialsRefused
│   ├── BucketNotFound
│   ├── OutputOccupied
│   ├── OutputNotWritable
│   ├── OutputNotReadable
│   ├── ScratchFull
│   ├── StorageRefused
│   └── NoVideo
├── TransientError       a store or a disk is unavailable; fetch retries, and exits with 70 after its time limit
│   ├── EndpointUnreachable
│   ├── CheckpointRefused
│   └── ScratchFailed
└── AlreadyCommitted     a manifest exists at the destination
"""

from __future__ import annotations

from typing import ClassVar, Self

from videojob_api.contract.exit_codes import ExitCode
from videojob_api.messages.report import Failure

MAX_MESSAGE_CHARS = 1024
"""Characters of a failure's message."""


class AgentError(Exception):
    """Base class. `exit_code` is fetch's exit code; `remedy` tells users what to do while the agent waits."""

    exit_code = ExitCode.INTERNAL
    remedy: ClassVar[str] = "fix the problem that the message names"

    @property
    def failure(self) -> Failure:
        """The error as it is sent in reports and termination messages."""
        return Failure(reason=type(self).__name__, message=str(self)[:MAX_MESSAGE_CHARS])

    def with_context(self, subject: str) -> Self:
        """The same error with `subject` in front of its message."""
        return type(self)(f"{subject}: {self}")


class PermanentError(AgentError):
    """An error that a retry cannot fix before somebody changes something."""

    exit_code = ExitCode.BAD_INPUT


class TransientError(AgentError):
    """An error that a retry may fix."""


class AlreadyCommitted(AgentError):
    """A manifest exists at the destination; it is never replaced."""


class InputNotFound(PermanentError):
    """An input's object, file or mount does not exist."""


class SizeMismatch(PermanentError):
    """An input's size differs from its `sizeBytes`."""


class DigestMismatch(PermanentError):
    """An input's digest differs from its `sha256`."""


class UnsafePath(PermanentError):
    """A name that would leave its folder, or that is a link or a device."""


class CredentialsRefused(PermanentError):
    """The store rejects the credentials, or there are none."""

    remedy = "correct the Secret's keys or their permissions"


class BucketNotFound(PermanentError):
    """The bucket does not exist."""

    remedy = "create the bucket"


class OutputOccupied(PermanentError):
    """The destination contains another job's manifest."""


class OutputNotWritable(PermanentError):
    """The destination cannot be written: missing rights, no space, read-only."""

    remedy = "free space on the volume, or make it writable"


class OutputNotReadable(PermanentError):
    """The agent may not read a file that the runner has written."""


class ScratchFull(PermanentError):
    """The IO folder has no free space for the inputs."""


class StorageRefused(PermanentError):
    """The storage service rejects a request for another reason."""

    remedy = "check the store's quota and limits"


class NoVideo(PermanentError):
    """The runner reported COMPLETED without an mp4."""


class EndpointUnreachable(TransientError):
    """No response, or only responses that ask to retry later."""

    remedy = "restore the storage service"


class CheckpointRefused(TransientError):
    """A checkpoint exists at the output, but the store does not serve it at the moment."""

    remedy = "grant the Secret's keys read access to the output"


class ScratchFailed(TransientError):
    """The IO folder fails; another node's may work."""

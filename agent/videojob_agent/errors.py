"""
Everything the agent raises on purpose; the class's name is the reason that stands in the VideoJob's conditions.

AgentError
├── PermanentError       the spec, its data or its rights must change; fetch ends with 65
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
├── TransientError       a store or a disk is away; fetch tries again, and ends with 70 at the end of its time
│   ├── EndpointUnreachable
│   ├── CheckpointRefused
│   └── ScratchFailed
└── AlreadyCommitted     a manifest lies at the destination
"""

from __future__ import annotations

from typing import ClassVar, Self

from videojob_api.contract.exit_codes import ExitCode
from videojob_api.messages.report import Failure

MAX_MESSAGE_CHARS = 1024
"""Characters of a failure's message."""


class AgentError(Exception):
    """Base of the tree. `exit_code` is what fetch ends with; `remedy` is what people are asked for while it waits."""

    exit_code = ExitCode.INTERNAL
    remedy: ClassVar[str] = "fix the problem that the message names"

    @property
    def failure(self) -> Failure:
        """The error as it travels in reports and termination messages."""
        return Failure(reason=type(self).__name__, message=str(self)[:MAX_MESSAGE_CHARS])

    def with_context(self, subject: str) -> Self:
        """The same error, its message beginning with what it is about."""
        return type(self)(f"{subject}: {self}")


class PermanentError(AgentError):
    """Trying again cannot help before somebody changes something."""

    exit_code = ExitCode.BAD_INPUT


class TransientError(AgentError):
    """Trying again may help."""


class AlreadyCommitted(AgentError):
    """A manifest lies at the destination and is never replaced."""


class InputNotFound(PermanentError):
    """An input's object, file or mount is not there."""


class SizeMismatch(PermanentError):
    """An input has another size than its `sizeBytes`."""


class DigestMismatch(PermanentError):
    """An input has another digest than its `sha256`."""


class UnsafePath(PermanentError):
    """A name that would leave its folder, or that is a link or a device."""


class CredentialsRefused(PermanentError):
    """The store knows the caller and says no, or there are no credentials to show."""

    remedy = "correct the Secret's keys or their permissions"


class BucketNotFound(PermanentError):
    """There is no such bucket."""

    remedy = "create the bucket"


class OutputOccupied(PermanentError):
    """Another job's manifest lies at the destination."""


class OutputNotWritable(PermanentError):
    """The destination takes no files: no right, no space, read-only."""

    remedy = "free space on the volume, or make it writable"


class OutputNotReadable(PermanentError):
    """The runner has left a file that the agent may not read."""


class ScratchFull(PermanentError):
    """The IO folder has no room for the inputs."""


class StorageRefused(PermanentError):
    """The service refuses a request for a reason of its own."""

    remedy = "check the store's quota and limits"


class NoVideo(PermanentError):
    """The runner says COMPLETED and has left no mp4."""


class EndpointUnreachable(TransientError):
    """No answer, or only answers that ask to come back later."""

    remedy = "restore the storage service"


class CheckpointRefused(TransientError):
    """A checkpoint lies at the output, and the store does not give it out just now."""

    remedy = "grant the Secret's keys read access to the output"


class ScratchFailed(TransientError):
    """The IO folder fails in a way that another node may not."""

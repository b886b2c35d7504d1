"""What somebody wants converted into what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from videojob_runner.errors import BadConfig, BadInput
from videojob_runner.models.packs.reader import PackedFile, PackName, file_info

LICENCE_UNKNOWN: Final = "NOASSERTION"
"""SPDX's word for a licence that nobody has stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRequest:
    """What to convert into what."""

    checkpoint: Path
    output: Path
    """The pack's folder, which must not exist; its name becomes the pack's."""
    licence: str = LICENCE_UNKNOWN
    """SPDX expression of the weights."""
    sha256: str | None = None
    """What the checkpoint must have, as its publisher says: 64 hex digits."""
    placeholder_classes: tuple[str, ...] = ()
    """Full names of classes in the checkpoint that are harmless; see `imports`."""

    def validate(self) -> None:
        """Raises BadConfig for what would only come out after gigabytes are read."""
        try:
            TypeAdapter(PackName).validate_python(self.output.name)
        except ValidationError as error:
            name = self.output.name
            raise BadConfig(
                f"{name!r} is not a valid pack name; use at most 63 characters of a-z, 0-9, dot and dash",
                field="output",
            ) from error
        if self.output.exists():
            raise BadConfig(f"{str(self.output)!r} exists; remove it or choose another folder", field="output")

    def packed_file(self) -> PackedFile:
        """Size and digest of the checkpoint. Raises BadInput when it is missing or not the one that was promised."""
        try:
            found = file_info(self.checkpoint)
        except OSError as error:
            raise BadInput(f"{str(self.checkpoint)!r} cannot be read: {error.strerror or error}") from error
        if self.sha256 is not None and found.sha256 != self.sha256.lower():
            raise BadInput(
                f"{self.checkpoint.name!r} has sha256 {found.sha256} instead of {self.sha256}: "
                "wrong file or incomplete download"
            )
        return found

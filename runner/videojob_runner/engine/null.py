"""What stands in a context where nobody wants to know."""

from __future__ import annotations

from collections.abc import Mapping

from videojob_runner.media.frames import Pixels


class NoPreview:
    """Nobody watches."""

    def is_wanted(self) -> bool:
        """Never."""
        return False

    def show(self, pixels: Pixels) -> None:
        """Drops it."""


def nobody_records(step: int, values: Mapping[str, float]) -> None:
    """Nobody keeps a table."""


def nobody_counts(frames: int) -> None:
    """Nobody asked how many frames there will be."""

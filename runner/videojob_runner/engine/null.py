"""What stands in a context where nobody wants to know."""

from __future__ import annotations

from collections.abc import Mapping

from videojob_runner.media.frames import RgbImage


class NullPreview:
    """Nobody watches."""

    def is_due(self) -> bool:
        """Never."""
        return False

    def show(self, pixels: RgbImage) -> None:
        """Drops it."""


def ignore_metrics(step: int, values: Mapping[str, float]) -> None:
    """Nobody keeps a table."""


def ignore_frame_count(frames: int) -> None:
    """Nobody asked how many frames there will be."""

"""
`preview.png` beside STATUS: the newest picture of a run, whole at any time and a few seconds old at most.

An engine asks whether one is wanted before it makes it, because on a GPU that means waiting for the step to end. So the
steps between two frames can be watched too, which in a single picture are all there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from videojob_runner.media.frames import RgbImage, save_png

PREVIEW_FILE = "preview.png"
INTERVAL_SECONDS = 5.0
"""Between two previews."""


@dataclass(slots=True, kw_only=True)
class PreviewFile:
    """The preview of one run in `folder` (`engine.Preview`)."""

    folder: Path
    clock: Callable[[], float]
    _shown: float = -math.inf

    def is_due(self) -> bool:
        """Whether the last one is old enough."""
        return self.clock() - self._shown >= INTERVAL_SECONDS

    def clear(self) -> None:
        """Removes that of an earlier run."""
        (self.folder / PREVIEW_FILE).unlink(missing_ok=True)

    def show(self, pixels: RgbImage) -> None:
        """Replaces it."""
        self._shown = self.clock()
        save_png(self.folder / PREVIEW_FILE, pixels, {})

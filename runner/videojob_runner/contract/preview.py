"""
`preview.png` and `preview.mp4` beside STATUS: the newest image or clip of a run, whole at any time.

An engine asks whether one is wanted before it makes it, because on a GPU that means waiting for the step to end. So the
steps between two frames can be watched too, which in a single picture are all there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from videojob_runner.media.encode import VideoEncoding, write_mp4
from videojob_runner.media.frames import RgbImage, save_png

PREVIEW_FILE, CLIP_FILE = "preview.png", "preview.mp4"
MAX_CLIP_FRAMES = 120
"""Of a clip; later ones are not shown."""
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
        """Removes those of an earlier run."""
        for name in (PREVIEW_FILE, CLIP_FILE):
            (self.folder / name).unlink(missing_ok=True)

    def show(self, image: RgbImage, /) -> None:
        """Replaces the image."""
        self._shown = self.clock()
        save_png(self.folder / PREVIEW_FILE, image, {})

    def show_clip(self, images: Iterable[RgbImage], /, *, fps: float) -> None:
        """Replaces the clip. Raises EncodingFailed."""
        self._shown = self.clock()
        write_mp4(self.folder / CLIP_FILE, islice(images, MAX_CLIP_FRAMES), VideoEncoding(fps=fps))

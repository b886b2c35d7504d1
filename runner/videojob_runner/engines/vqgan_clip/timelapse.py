"""
The film of a timelapse: what its mp4 shows besides the frames (specification vqgan-clip §1.10).

    title card, fade from the init image to its reconstruction (the first frame),
    all frames with blends between them, the same backwards, fade from the reconstruction to the init image

Nothing of it is kept in memory or on disk: the pictures are made one by one while they are encoded. A blend is
⌊((n − j)·X + j·Y) / n⌋ of whole levels, so that two equal pictures blend into the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from videojob_runner.engine.api import FrameComposer, TaskContext
from videojob_runner.engines.vqgan_clip.config import FIELD_PREFIX, VqganClipConfig
from videojob_runner.engines.vqgan_clip.prompts.grammar import Phrase
from videojob_runner.engines.vqgan_clip.settings import RunSettings
from videojob_runner.media.frames import RgbImage
from videojob_runner.media.text_frames import title_card
from videojob_runner.torch_utils.images import read_image

FrameReader = Callable[[int], RgbImage]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelapseComposer:
    """How the frames of a timelapse become its film (`engine.api.FrameComposer`)."""

    in_betweens: int = 0
    """Blends between two frames."""
    boomerang: bool = False
    title: str | None = None
    """None: no card."""
    title_frames: int = 0
    init_image: RgbImage | None = None
    """The init image at the size of the frames; None: no fades."""
    fade_frames: int = 0

    def __call__(self, count: int, read: FrameReader) -> Iterator[RgbImage]:
        """All pictures of the film; `read` gives frame 0…count−1, of which there is at least one."""
        first = read(0)
        height, width = first.shape[:2]
        if self.title is not None:
            yield from [title_card(self.title, size=(width, height))] * self.title_frames
        yield from self.fade(first, steps=range(self.fade_frames))
        yield from self.blended_frames(count, lru_cache(maxsize=2)(read))
        yield from self.fade(first, steps=range(self.fade_frames, 0, -1))

    def fade(self, first: RgbImage, *, steps: range) -> Iterator[RgbImage]:
        """From the init image at step 0 to the first frame at step `fade_frames`, which comes by itself."""
        if self.init_image is not None:
            for step in steps:
                yield blend(self.init_image, first, step=step, steps=self.fade_frames)

    def blended_frames(self, count: int, read: FrameReader) -> Iterator[RgbImage]:
        """The frames with blends between them, and back. The turning picture comes twice, as in the original."""
        spacing = self.in_betweens + 1
        last = (count - 1) * spacing

        def at(place: int) -> RgbImage:
            left, step = divmod(place, spacing)
            return blend(read(left), read(left + 1), step=step, steps=spacing) if step else read(left)

        yield from map(at, range(last + 1))
        if self.boomerang:
            yield from map(at, range(last, -1, -1))


def blend(start: RgbImage, end: RgbImage, *, step: int, steps: int) -> RgbImage:
    """`step` of `steps` on the way from one picture to another of the same size, rounded down."""
    return ((start.astype(np.int64) * (steps - step) + end.astype(np.int64) * step) // steps).astype(np.uint8)


def timelapse_composer(config: VqganClipConfig, settings: RunSettings, context: TaskContext) -> FrameComposer | None:
    """The film of a timelapse; other forms' frames are shown as they are. Raises BadInput."""
    if (timelapse := config.timelapse) is None:
        return None
    source = None
    if config.init_image is not None:
        field = f"{FIELD_PREFIX}.initImage"
        source = read_image(context.input_file(config.init_image, field=field), size=settings.size, field=field)
    return TimelapseComposer(
        in_betweens=timelapse.in_betweens,
        boomerang=timelapse.boomerang,
        title=timelapse.title or first_text(settings.phrases[0]),
        title_frames=round(timelapse.title_seconds * context.fps),
        init_image=source,
        fade_frames=round(timelapse.fade_seconds * context.fps),
    )


def first_text(phrase: Phrase) -> str | None:
    """The first text of a phrase, without its weight; None where there are only pictures and noise."""
    return next((prompt.body for prompt in phrase if prompt.kind == "text"), None)

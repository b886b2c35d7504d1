"""Post-processing steps: `VideoJob.spec.post` (DESIGN §3)."""

from typing import Annotated, ClassVar

from pydantic import Field

from videojob_api.base import Document, RelativePath
from videojob_api.validation.core import Rule
from videojob_api.validation.objects import exactly_one
from videojob_api.validation.post import at_most_one


class Upscale(Document):
    """Enlarges frames with the pack in the role upscaler."""

    scale: Annotated[float, Field(gt=1, le=16)] = 4
    """Factor for width and height; neither may exceed 16384 pixels afterwards."""
    tile: Annotated[int, Field(ge=32, le=4096)] = 256
    """Side of the tiles in which a frame is processed, in pixels before scaling; smaller tiles need less memory."""


class Interpolate(Document):
    """Increases the frame rate by motion-compensated interpolation."""

    fps: Annotated[int, Field(ge=2, le=240)]
    """Frame rate of the video in frames per second; must exceed encoding.fps."""


class Audio(Document):
    """Adds an audio track, cut to the length of the video."""

    input: RelativePath
    """Path of an audio or video file among the inputs, relative to `/video_io/input`."""


class PostStep(Document):
    """One post-processing step: exactly one of upscale, interpolate, audio."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("upscale", "interpolate", "audio"),)
    upscale: Upscale | None = None
    """Enlarges the frames; the result is also stored in `output/post/`."""
    interpolate: Interpolate | None = None
    """Increases the frame rate."""
    audio: Audio | None = None
    """Adds an audio track."""


Post = Annotated[list[PostStep], Field(max_length=8), at_most_one("interpolate"), at_most_one("audio")]
"""Steps in the order in which they are executed."""

"""What is done to frames after they were made: `VideoJob.spec.post` (DESIGN §3)."""

from typing import Annotated, ClassVar

from pydantic import Field

from videojob_api.base import Document, RelativePath
from videojob_api.validation.core import Rule
from videojob_api.validation.objects import exactly_one
from videojob_api.validation.post import at_most_one


class Upscale(Document):
    """Larger frames, by the pack in the role upscaler."""

    scale: Annotated[float, Field(gt=1, le=16)] = 4
    """How much larger each way. No side may exceed 16384 pixels."""
    tile: Annotated[int, Field(ge=32, le=4096)] = 256
    """Side of the parts that a frame is worked on in, in pixels before enlargement: less takes less memory."""


class Interpolate(Document):
    """More frames in a second, by motion compensation."""

    fps: Annotated[int, Field(ge=2, le=240)]
    """Frames in a second of the video; more than encoding.fps."""


class Audio(Document):
    """Sound for the video, cut where the picture ends."""

    input: RelativePath
    """A sound or video file among the inputs, below `/video_io/input`."""


class PostStep(Document):
    """One step: exactly one of upscale, interpolate, audio."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("upscale", "interpolate", "audio"),)
    upscale: Upscale | None = None
    """Larger frames, kept in `output/post/`."""
    interpolate: Interpolate | None = None
    """More frames in a second."""
    audio: Audio | None = None
    """Sound for the video."""


Post = Annotated[list[PostStep], Field(max_length=8), at_most_one("interpolate"), at_most_one("audio")]
"""Steps in the order in which they are done."""

"""Fields of `pipeline.vqganClip`: a VQGAN's latent steered by CLIP towards text (specification §2 to §4)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from videojob_api.base import Document
from videojob_api.storage import RelativePath

Prompts = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""`phrase ^ phrase`, each `item | item`, each `text[:weight[:stop]]`."""


class Image(Document):
    """One picture."""

    prompts: Prompts
    iterations: Annotated[int, Field(ge=1, le=100_000)] = 100
    save_every: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Also keep the picture of every so many iterations as a frame; absent: the last one only."""


class Video(Document):
    """Frames, each trained on from the last, zoomed and shifted between them (§4.3)."""

    prompts: Prompts
    frames: Annotated[int, Field(ge=1, le=100_000)]
    iterations_per_frame: Annotated[int, Field(ge=1, le=10_000)] = 30
    iterations_for_first_frame: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Extra iterations before the first frame; skipped with an init image."""
    change_prompts_on_frame: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=256)] | None = None
    """1-based frames from which the next phrase counts; absent: the phrases share the frames evenly."""
    zoom: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    shift_x: Annotated[int, Field(ge=-4096, le=4096)] = 0
    """Pixels to the right between two frames, wrapping."""
    shift_y: Annotated[int, Field(ge=-4096, le=4096)] = 0
    """Pixels down between two frames, wrapping."""


class VqganClip(Document):
    """Common fields and exactly one form."""

    width: Annotated[int, Field(ge=16, le=4096)] = 256
    """Pixels; rounded down to the generator's factor (§2.3)."""
    height: Annotated[int, Field(ge=16, le=4096)] = 256
    seed: Annotated[int, Field(ge=0, le=9_007_199_254_740_991)] | None = None
    """Absent: drawn and recorded in the manifest."""
    init_image: RelativePath | None = None
    """A picture below `input/` to start from."""
    start: Literal["random", "gray"] | None = None
    """Latent to start from without an init image; absent: the generator pack's own choice, else random codes."""
    cuts: Annotated[int, Field(ge=1, le=256)] | None = None
    """Cutouts each iteration; absent: the pack's choice, else 32."""
    cut_method: Literal["original", "kornia"] = "kornia"
    cut_power: Annotated[float, Field(gt=0, le=10)] = 1.0
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None
    """Absent: the pack's choice, else 0.1."""
    image: Image | None = None
    video: Video | None = None

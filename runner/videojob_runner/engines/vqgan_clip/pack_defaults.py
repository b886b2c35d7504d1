"""What a pack wants of the runs that use it: the `defaults` of its `pack.json`."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field, ValidationError
from videojob_api.base import Document
from videojob_api.pipelines.vqgan_clip import LatentInit

from videojob_runner.engines.vqgan_clip.cutouts.presets import AugmentationOptions
from videojob_runner.errors import BadInput
from videojob_runner.models.packs.reader import Pack

DefaultsT = TypeVar("DefaultsT", bound=Document)

Rate = Annotated[float, Field(gt=0, le=10)]


class GeneratorDefaults(Document):
    """`defaults` of a pack of kind `vqgan`."""

    start: LatentInit = "random"
    learning_rate: Rate = 0.1
    learning_rate_final: Rate | None = None
    """The rate falls to it over the run of an `image`, and over each frame of a `styleTransfer` but the first."""
    learning_rate_next_frames: Rate | None = None
    """
    The rate falls to it over the first frame of a `video` or a `styleTransfer`. In a video it stays, and falls anew for
    each phrase.
    """
    phrase_noise: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Form `video`: noise added to z when the phrase changes, in standard deviations of the codebook."""


class PerceptorDefaults(Document):
    """`defaults` of a pack of kind `clip`."""

    cuts: Annotated[int, Field(ge=1, le=256)] = 32
    augmentation: AugmentationOptions = AugmentationOptions()


def read_defaults(pack: Pack, model: type[DefaultsT]) -> DefaultsT:
    """The pack's defaults. Raises BadInput when it has others than its kind knows."""
    try:
        return model.model_validate(pack.manifest.defaults)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"pack {pack.name!r}: defaults.{where}: {first['msg']}") from error

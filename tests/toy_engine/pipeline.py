"""The api's module of the toy engine."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from videojob_api.pipelines.base import ModelRole, PipelineSpec


class ToyLine(PipelineSpec):
    """Fits a line and shows it."""

    MODEL_ROLES: ClassVar[tuple[ModelRole, ...]] = (ModelRole(name="checkpoint", kind="line-training"),)

    steps: Annotated[int, Field(ge=1)] = 6
    """Of training."""
    rate: float = 0.1
    """Learning rate."""
    frames: Annotated[int, Field(ge=0)] = 5
    """Of the video; 0: only training, whose previews are the video."""
    carried: bool = True
    """Whether checkpoints carry the trained pack."""
    resume: bool = False
    """Go on from the pack of role `checkpoint`."""
    seed: int | None = None
    """Of the training."""

    def frame_count(self) -> int | None:
        """Of the video."""
        return self.frames or None

"""The engine's configuration: the resource's fields and what only the contract layer can set (the flat form's ways)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from videojob_api.pipelines import VqganClip


class VqganClipConfig(VqganClip):
    """`pipeline.vqganClip` plus options without a field there; the original container's flat config.json needs them."""

    learning_rate_growth: Annotated[float, Field(ge=1, le=2)] = 1.0
    """Factor on the learning rate from each iteration to the next."""
    learning_rate_cap: Annotated[float, Field(gt=0)] | None = None
    """The learning rate never exceeds it, not even at the start."""
    frame_before_step: bool = False
    """A frame shows the picture before its first iteration: frame 0 is the start, untouched."""

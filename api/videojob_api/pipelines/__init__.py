"""The pipelines, one module for each engine, and the one-of that holds them."""

from typing import ClassVar

from videojob_api.base import Document
from videojob_api.object_rules import ExactlyOne
from videojob_api.pipelines.custom import Custom
from videojob_api.pipelines.vqgan_clip import VqganClip
from videojob_api.rules import Rule

__all__ = ["Custom", "Pipeline", "VqganClip"]


class Pipeline(Document):
    """What makes the pictures: exactly one of the fields."""

    rules: ClassVar[tuple[Rule, ...]] = (ExactlyOne("vqgan_clip", "custom"),)
    vqgan_clip: VqganClip | None = None
    """Text-steered pictures and videos by VQGAN+CLIP."""
    custom: Custom | None = None
    """Any container that keeps the file contract; its image stands in runner.image."""

"""The pipelines, one module for each engine, and the one-of that holds them."""

from videojob_api.base import Document
from videojob_api.pipelines.custom import Custom
from videojob_api.pipelines.vqgan_clip import VqganClip

__all__ = ["Custom", "Pipeline", "VqganClip"]


class Pipeline(Document):
    """Exactly one arm."""

    vqgan_clip: VqganClip | None = None
    custom: Custom | None = None

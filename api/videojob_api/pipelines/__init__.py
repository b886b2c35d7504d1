"""The pipelines, one module for each engine, and the one-of that holds them."""

from videojob_api.pipelines.base import PipelineChoice
from videojob_api.pipelines.custom import CustomPipeline
from videojob_api.pipelines.vqgan_clip import VqganClipPipeline

__all__ = ["PIPELINES", "CustomPipeline", "Pipeline", "VqganClipPipeline"]


class Pipeline(PipelineChoice):
    """What makes the pictures: exactly one of the fields."""

    vqgan_clip: VqganClipPipeline | None = None
    """Text-steered pictures and videos by VQGAN+CLIP."""
    custom: CustomPipeline | None = None
    """Any container that keeps the file contract; its image stands in runner.image."""


PIPELINES = Pipeline.pipelines()
"""Every pipeline's model by its field in `Pipeline`, which registers it: rules follow from what the model declares."""

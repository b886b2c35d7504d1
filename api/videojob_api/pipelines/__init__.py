"""Specs of the pipelines, one module per engine, and the union of them."""

from videojob_api.pipelines.base import PipelineChoice
from videojob_api.pipelines.custom import CustomPipeline
from videojob_api.pipelines.vqgan_clip import VqganClipPipeline

__all__ = ["PIPELINES", "CustomPipeline", "Pipeline", "VqganClipPipeline"]


class Pipeline(PipelineChoice):
    """The pipeline that renders the frames: exactly one of the fields."""

    vqgan_clip: VqganClipPipeline | None = None
    """Images and videos from prompts, with VQGAN and CLIP."""
    custom: CustomPipeline | None = None
    """A custom runner: any container that follows the file contract; its image is set in runner.image."""


PIPELINES = Pipeline.pipelines()
"""Pipeline models by their field in `Pipeline`. Adding a field registers a pipeline; its rules are derived from the
model."""

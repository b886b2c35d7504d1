"""The engine's configuration: the resource's fields, under a name that is not the engine's own."""

from __future__ import annotations

from videojob_api.pipelines import VqganClipPipeline as VqganClipConfig
from videojob_api.pipelines.vqgan_clip import Image, StyleTransfer, Timelapse, Video

from videojob_runner.errors import BadConfig

__all__ = ["FIELD_PREFIX", "Form", "VqganClipConfig", "is_upstream", "selected_form"]

FIELD_PREFIX = "pipeline.vqganClip"
Form = Image | Video | StyleTransfer | Timelapse


def selected_form(config: VqganClipConfig) -> tuple[str, Form]:
    """The form that is set, after its name; the model lets exactly one through. Raises BadConfig."""
    forms = {
        "image": config.image,
        "video": config.video,
        "styleTransfer": config.style_transfer,
        "timelapse": config.timelapse,
    }
    for name, chosen in forms.items():
        if chosen is not None:
            return name, chosen
    raise BadConfig(f"one of {', '.join(forms)} must be given", field=FIELD_PREFIX)


def is_upstream(config: VqganClipConfig) -> bool:
    """Whether the original's habits are wanted."""
    return config.compat == "upstream"

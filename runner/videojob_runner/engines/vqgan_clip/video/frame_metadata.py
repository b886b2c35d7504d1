"""Metadata of each frame: the items of specification §4.7, with their names and in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from videojob_runner.engines.vqgan_clip.config import VqganClipConfig

_SMOOTHER: Final = {
    "z_smoother": "smoother",
    "z_smoother_buffer_len": "smoother_length",
    "z_smoother_alpha": "smoother_alpha",
}
_PROMPTS: Final = {"image_prompts": "image_prompts", "noise_prompts": "noise_prompts"}
METADATA_FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "image": _PROMPTS
    | {
        "iterations": "iterations",
        "init_image": "init_image",
        "save_every": "save_every",
        "cut_method": "cut_method",
        "seed": "seed",
    },
    "video": _PROMPTS
    | {
        "iterations": "iterations_per_frame",
        "init_image": "frame",
        "cut_method": "cut_method",
        "seed": "seed",
        "zoom_scale": "zoom",
        "shift_x": "shift_x",
        "shift_y": "shift_y",
    }
    | _SMOOTHER,
    "style_transfer": _PROMPTS
    | {
        "iterations_per_frame": "iterations_per_frame",
        "iterations_for_first_frame": "iterations_for_first_frame",
        "cut_method": "cut_method",
        "init_image": "source",
        "seed": "seed",
    }
    | _SMOOTHER
    | {
        "current_source_frame_prompt_weight": "source_prompt_weight",
        "current_source_frame_image_weight": "source_weight",
    },
}
"""The items of each form beside `text_prompts`, and the fields that they show: of the form, or else of the pipeline."""
COMMON_FIELDS: Final = _PROMPTS | {"init_image": "init_image", "cut_method": "cut_method", "seed": "seed"}
"""The items of a form without a list of its own."""


def frame_metadata(config: VqganClipConfig, *, phrase: str, frame: int, seed: int) -> dict[str, object]:
    """The items of frame `frame` (0-based), which was made for the texts of `phrase` from `seed`."""
    options = config.model_dump()
    form = next((name for name in METADATA_FIELDS if options[name] is not None), "")
    known = {**options, **options.get(form, {}), "frame": frame, "seed": seed}
    smoother = known.get("smoother") or {}
    known |= {"smoother": bool(smoother)} | {f"smoother_{name}": value for name, value in smoother.items()}
    items = {name: known.get(source) for name, source in METADATA_FIELDS.get(form, COMMON_FIELDS).items()}
    return {"text_prompts": phrase, **items}

"""
The flat form of the original container's config.json, translated into the VQGAN+CLIP pipeline.

It means a timelapse of `num_frames` iterations: 64 cutouts with that container's own augmentations, and a learning rate
that grows by 2 % with each iteration up to 0.1 (specification vqgan-clip §1.9).
"""

from __future__ import annotations

from typing import Any

from videojob_api.contract.config import InvalidConfig, LegacyConfig
from videojob_api.pipelines.vqgan_clip import Timelapse
from videojob_api.validation.problems import FieldProblem

LEGACY_PIPELINE = "vqganClip"
CUTS = 64
LEARNING_RATE_GROWTH = 1.02
LEARNING_RATE_CAP = 0.1
"""The cap holds for the first rate too."""


def pipeline_from_legacy(flat: LegacyConfig) -> dict[str, Any]:
    """The engine's configuration, as a document. Raises InvalidConfig when there is nothing to steer towards."""
    steering = {"prompts": normalize_items(flat.prompt), "imagePrompts": normalize_items(flat.target_images)}
    if not any(steering.values()):
        raise InvalidConfig(
            FieldProblem("prompt", "holds no prompt, and there are no target_images either: write at least one")
        )
    return {
        "width": flat.width,
        "height": flat.height,
        **({} if flat.init_image is None else {"initImage": flat.init_image}),
        **({} if flat.seed == -1 else {"seed": flat.seed}),
        "cuts": CUTS,
        "cutMethod": "nvg",
        "learningRate": min(flat.lr, LEARNING_RATE_CAP),
        "timelapse": {
            **{kind: prompts for kind, prompts in steering.items() if prompts},
            "iterations": flat.num_frames,
            "learningRateGrowth": LEARNING_RATE_GROWTH,
            "learningRateCap": LEARNING_RATE_CAP,
            "titleSeconds": flat.title_time,
            "fadeSeconds": flat.init_rest_time,
        },
    }


def frame_count(flat: LegacyConfig) -> int:
    """How many frames the timelapse has. Its limits are the engine's to check, so that TEST may pass them."""
    return Timelapse.model_construct(iterations=flat.num_frames).frame_count()


def title(flat: LegacyConfig) -> str | None:
    """Title in the video's metadata."""
    return normalize_items(flat.prompt) or None


def normalize_items(prompts: str) -> str:
    """The items between `|` that are not empty, trimmed."""
    return " | ".join(part.strip() for part in prompts.split("|") if part.strip())

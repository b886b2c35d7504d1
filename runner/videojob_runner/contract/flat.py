"""
The flat form of the original container's config.json, translated into the VQGAN+CLIP pipeline.

It means one video that is trained on by one iteration for each frame: 64 cutouts with that container's own
augmentations, a learning rate that grows by 2 % with each iteration up to 0.1, each frame shown before its step, so
that frame 0 is the start. Its title card, in-betweening, boomerang and fades are left out for now; the log says so.
"""

from __future__ import annotations

from typing import Any

from videojob_api.config import FlatConfig

ARM = "vqganClip"
CUTS = 64
GROWTH = 1.02
CAP = 0.1
"""The cap holds for the first rate too."""


def engine_options(flat: FlatConfig) -> dict[str, Any]:
    """The engine's configuration, as a document."""
    return {
        "width": flat.width,
        "height": flat.height,
        **({} if flat.init_image is None else {"initImage": flat.init_image}),
        **({} if flat.seed == -1 else {"seed": flat.seed}),
        "cuts": CUTS,
        "cutMethod": "nvg",
        "learningRate": flat.lr,
        "learningRateGrowth": GROWTH,
        "learningRateCap": CAP,
        "frameBeforeStep": True,
        "video": {
            "prompts": items(flat.prompt),
            **({"imagePrompts": items(flat.target_images)} if items(flat.target_images) else {}),
            "frames": flat.num_frames,
            "iterationsPerFrame": 1,
            "iterationsForFirstFrame": 0,
        },
    }


def items(prompts: str) -> str:
    """The items between `|` that are not empty, trimmed."""
    return " | ".join(part.strip() for part in prompts.split("|") if part.strip())

"""
The flat form of the original container's config.json, translated into the VQGAN+CLIP pipeline.

It means one video that is trained on by one iteration for each frame: 64 cutouts with that container's own
augmentations, a learning rate that grows by 2 % with each iteration up to 0.1, each frame shown before its step, so
that frame 0 is the start. Its title card, in-betweening, boomerang and fades are left out for now; the log says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videojob_api.config import FlatConfig

from videojob_runner.contract.errors import BadConfig

ARM = "vqganClip"
CUTS = 64
GROWTH = 1.02
CAP = 0.1
"""The cap holds for the first rate too."""

_OLD_NAMES = {"prompts": "prompt", "max_iterations": "num_frames"}
_NOTHING = ("", "None")
"""How the original says that there is no picture, besides leaving the field out."""


def renamed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the names of before 2021-09-15 replaced, and a number as the id made a string."""
    new = {_OLD_NAMES.get(name, name): value for name, value in document.items() if name in _OLD_NAMES}
    new.update({name: value for name, value in document.items() if name not in _OLD_NAMES})
    if isinstance(new.get("unique_id"), int):
        new["unique_id"] = str(new["unique_id"])
    if new.get("target_images", "") is None:
        del new["target_images"]
    return new


def engine_options(flat: FlatConfig) -> dict[str, Any]:
    """The engine's configuration, as a document. Raises BadConfig for what cannot be done with it."""
    prompts = [part.strip() for part in flat.prompt.split("|") if part.strip()]
    if not prompts:
        raise BadConfig("holds no prompt, so there is nothing to steer towards", field="prompt")
    if flat.target_images.strip() not in _NOTHING:
        raise BadConfig("image prompts are not supported yet; leave it out", field="target_images")
    return {
        "width": flat.width,
        "height": flat.height,
        **({} if flat.init_image is None or flat.init_image in _NOTHING else {"initImage": flat.init_image}),
        **({} if flat.seed == -1 else {"seed": flat.seed}),
        "cuts": CUTS,
        "cutMethod": "nvg",
        "learningRate": flat.lr,
        "learningRateGrowth": GROWTH,
        "learningRateCap": CAP,
        "frameBeforeStep": True,
        "video": {
            "prompts": " | ".join(prompts),
            "frames": flat.num_frames,
            "iterationsPerFrame": 1,
            "iterationsForFirstFrame": 0,
        },
    }

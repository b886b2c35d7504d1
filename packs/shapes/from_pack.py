"""
Finished packs as if they were training stages, so that one more stage can go on from them.

An hour and a half of training becomes minutes. Exported tensors are fp16 and have lost the attribute heads; the heads
learn anew on the network as it is, which takes a few dozen steps.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from safetensors.torch import load_file

from packs.shapes import clip_training
from packs.shapes.stage_cache import State

HEAD_STEPS: Final = 80


def load_tensors(pack: Path) -> State:
    """What a pack holds; floating tensors as fp32."""
    held = load_file(pack / "weights.safetensors")
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in held.items()}


def stage_from_pack(pack: Path, trainer: clip_training.ClipTrainer) -> State:
    """The state of a CLIP stage whose network is the pack's; `trainer` lends pictures and captions."""
    network = load_tensors(pack)
    trainer.net.load_state_dict(network)
    trainer.average.load_state_dict(network)
    clip_training.fit_heads(trainer, HEAD_STEPS)
    return trainer.state()


def training_record(pack: Path) -> dict[str, object]:
    """How the pack was made, and the digest of its weights."""
    document = json.loads((pack / "pack.json").read_text())
    return {"sha256": document["files"]["weights.safetensors"]["sha256"], **document["training"]}

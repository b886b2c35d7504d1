"""
Packs of the usual sizes with random weights: the VQGAN of ImageNet f16-16384 and CLIP ViT-B/32.

    python -m bench.random_packs FOLDER

What an iteration costs does not depend on what the networks have learnt. Weights are in half precision, as CLIP's are.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from tests.unit.runner.tiny_packs import clip_tensors, vqgan_tensors, write_pack

F16: Final[dict[str, Any]] = {
    "ch": 128,
    "chMult": [1, 1, 2, 2, 4],
    "numResBlocks": 2,
    "attnResolutions": [16],
    "resolution": 256,
    "zChannels": 256,
    "embedDim": 256,
    "codebookSize": 16_384,
}
VIT_B32: Final[dict[str, Any]] = {
    "embed_dim": 512,
    "image_resolution": 224,
    "vision_layers": 12,
    "vision_width": 768,
    "vision_patch_size": 32,
    "transformer_width": 512,
    "transformer_heads": 8,
    "transformer_layers": 12,
}


def write_random_packs(folder: Path) -> None:
    """Both packs below `folder`, unless they are there already; 0.45 GB."""
    if not (generator := folder / "random-f16-16384").exists():
        write_pack(generator, vqgan_tensors(0, architecture=F16), kind="vqgan", architecture=F16)
    if not (perceptor := folder / "random-vit-b-32").exists():
        write_pack(perceptor, clip_tensors(1, **VIT_B32), kind="clip")


if __name__ == "__main__":
    write_random_packs(Path(sys.argv[1]))

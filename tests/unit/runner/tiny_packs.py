"""Packs of random weights, small enough to run hundreds of iterations in a test, made by the libraries' own classes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from clip.model import CLIP
from safetensors.torch import save_file
from taming.modules.diffusionmodules.model import Decoder, Encoder
from taming.modules.vqvae.quantize import VectorQuantizer
from torch import Tensor, nn

SIDE = 32
"""Input side of the tiny CLIP."""
ARCHITECTURE: dict[str, Any] = {
    "ch": 32,
    "chMult": [1, 1, 1],
    "numResBlocks": 1,
    "attnResolutions": [],
    "resolution": 16,
    "zChannels": 8,
    "embedDim": 4,
    "codebookSize": 32,
}
"""f = 4."""


def write_pack(folder: Path, tensors: dict[str, Tensor], **manifest: Any) -> Path:
    """A pack folder with one safetensors file and a true `pack.json`."""
    folder.mkdir(parents=True)
    weights = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, weights)
    content = weights.read_bytes()
    files = {weights.name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    head = {"apiVersion": "packs.videojobs.dev/v1", "name": folder.name, "licence": "CC0-1.0", "files": files}
    (folder / "pack.json").write_text(json.dumps({**head, **manifest}))
    return folder


TAMING = {"ch": "ch", "chMult": "ch_mult", "numResBlocks": "num_res_blocks", "attnResolutions": "attn_resolutions"}
"""taming's words for a pack's."""


def vqgan_tensors(seed: int = 0, *, architecture: Mapping[str, Any] = ARCHITECTURE) -> dict[str, Tensor]:
    """Random weights of an architecture under the names that packs use, in half precision."""
    options = {theirs: architecture[ours] for ours, theirs in TAMING.items()}
    z, c, resolution = (architecture[name] for name in ("zChannels", "embedDim", "resolution"))
    shape = {"in_channels": 3, "out_ch": 3, "z_channels": z, "resolution": resolution, "double_z": False}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codes = VectorQuantizer(architecture["codebookSize"], c, beta=1.0)
        codes.embedding.weight.data.normal_(std=0.5)
        parts = nn.ModuleDict(
            {
                "encoder": Encoder(**options, **shape),
                "decoder": Decoder(**options, **shape),
                "quantize": codes,
                "quant_conv": nn.Conv2d(z, c, 1),
                "post_quant_conv": nn.Conv2d(c, z, 1),
            }
        )
        return {name: tensor.half() for name, tensor in parts.state_dict().items()}


def clip_tensors(seed: int = 1, *, resnet: bool = False, **sizes: Any) -> dict[str, Tensor]:
    """
    Random weights of a CLIP with a one-layer vision transformer, or with the smallest residual tower.

    Half precision; `sizes` are arguments of openai-clip's class that differ.
    """
    tower: dict[str, Any] = {"vision_layers": 1, "vision_width": 64, "vision_patch_size": 16}
    if resnet:
        tower = {"vision_layers": (1, 1, 1, 1), "vision_width": 8, "vision_patch_size": None}
    text = {"context_length": 77, "vocab_size": 49408, "transformer_width": 64, "transformer_heads": 1}
    options = {"embed_dim": 16, "image_resolution": SIDE, "transformer_layers": 1, **tower, **text, **sizes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = CLIP(**options)
        return {name: t.half() if t.is_floating_point() else t for name, t in network.state_dict().items()}

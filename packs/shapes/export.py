"""
From trained tensors to packs: fp16 safetensors and `pack.json`, which names every file with its size and digest.

Two things change on the way, neither of them visible in a picture. The latent space is scaled so that the codebook's
deviation is 0.25: with Adam, whose steps do not depend on the gradient's size, that makes the learning rate that
everybody writes for VQGAN+CLIP (0.1) the right one here too. And every token that no caption uses gets the trained
row of the unknown word, so that words from outside the vocabulary are filler instead of noise.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from videojob_runner.training.export import PackDescription, export_pack

from packs.shapes import captions, clip_model, first_stage

CODEBOOK_DEVIATION: Final = 0.25
GENERATOR_DEFAULTS: Final = {
    "start": "gray",
    "learningRate": 0.15,
    "learningRateFinal": 0.03,
    "learningRateNextFrames": 0.05,
    "phraseNoise": 2.4,
}
PERCEPTOR_DEFAULTS: Final = {"cuts": 8, "augmentation": {"shift": [0.0, 0.1], "sharpness": 0.0, "jitter": 0.0}}
"""Guidance that fits these weights; the perceptor's views are those that it was trained on."""


def rescale_latents(tensors: Mapping[str, Tensor], *, deviation: float = CODEBOOK_DEVIATION) -> dict[str, Tensor]:
    """A first stage with the given codebook deviation and the same reconstructions."""
    result = {name: tensor.clone() for name, tensor in tensors.items()}
    factor = float(result["quantize.embedding.weight"].std()) / deviation
    for name in ("quantize.embedding.weight", "quant_conv.weight", "quant_conv.bias"):
        result[name] /= factor
    result["post_quant_conv.weight"] *= factor
    return result


def fill_unknown_tokens(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A CLIP in which every token outside the captions' vocabulary has the unknown word's row."""
    result = {name: tensor.clone() for name, tensor in tensors.items()}
    table = result["token_embedding.weight"]
    known = captions.vocabulary_tokens() | {captions.START_TOKEN, captions.END_TOKEN, 0}
    unknown = torch.ones(len(table), dtype=torch.bool)
    unknown[list(known)] = False
    table[unknown] = table[captions.UNKNOWN_TOKEN].clone()
    return result


def clip_tensors(stage: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The CLIP of a training stage, ready for export."""
    mine = {name.removeprefix("clip."): tensor for name, tensor in stage.items() if name.startswith("clip.")}
    return fill_unknown_tokens(mine)


def to_half(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floating tensors as fp16; counters keep their type."""
    return {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in tensors.items()}


def write_description(folder: Path, document: Mapping[str, object]) -> None:
    """Write `pack.json` into the pack folder."""
    (folder / "pack.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def export_vqgan(out: Path, tensors: Mapping[str, Tensor], *, training: Mapping[str, object]) -> None:
    """The pack `shapes-vqgan` below `out`, with an empty card."""
    about = PackDescription(
        name="shapes-vqgan",
        kind="vqgan",
        architecture=first_stage.DEFAULT_ARCHITECTURE.document(),
        defaults=GENERATOR_DEFAULTS,
        training=training,
    )
    export_pack(out / about.name, rescale_latents(tensors), about)


def export_clip(out: Path, stage: Mapping[str, Tensor], *, training: Mapping[str, object]) -> None:
    """The pack `shapes-clip` below `out`, with an empty card, from a training stage's tensors."""
    shape = clip_model.DEFAULT_ARCHITECTURE
    seen = {
        "inputResolution": shape.input_resolution,
        "contextLength": shape.context_length,
        "embedDim": shape.embed_dim,
    }
    about = PackDescription(
        name="shapes-clip", kind="clip", architecture=seen, defaults=PERCEPTOR_DEFAULTS, training=training
    )
    export_pack(out / about.name, clip_tensors(stage), about)


def code_digest(folders: Iterable[Path]) -> str:
    """Digest of the programs in the folders, blind to comments, docstrings and layout."""
    total = hashlib.sha256()
    for path in sorted(file for folder in folders for file in folder.glob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if (
                isinstance(body, list)
                and body
                and isinstance(body[0], ast.Expr)
                and isinstance(body[0].value, ast.Constant)
            ):
                del body[0]
        total.update(f"{path.name}\n{ast.dump(tree)}\n".encode())
    return total.hexdigest()

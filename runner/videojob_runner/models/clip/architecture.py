"""
The network of a CLIP, found in the shapes of its tensors.

OpenAI's files carry no configuration: whether the picture tower is a residual net or a vision transformer, and every
size of both towers, follows from names and shapes. The classes are those of openai-clip. They are built without memory
or random numbers and then take the tensors, all of them and no other; that library's own way allocates the weights,
draws them, and rounds them to half precision first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import torch
from torch import Tensor

from videojob_runner.models.clip.openai import CLIP

RESNET_STAGES: Final = (1, 2, 3, 4)
"""Of the residual tower; with the pooled stem it divides a side by 32."""
HEAD_WIDTH: Final = 64
"""Channels per attention head, in all published CLIPs and in openai-clip itself."""


class NotAClip(ValueError):
    """Tensors that are not those of a CLIP; the text names the first that is missing or odd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipArchitecture:
    """Arguments of openai-clip's class, by its names."""

    embed_dim: int
    image_resolution: int
    """Pixels per side of the pictures (S)."""
    vision_layers: int | tuple[int, ...]
    """Blocks of a vision transformer, or of each stage of a residual tower."""
    vision_width: int
    vision_patch_size: int | None
    """None: a residual tower."""
    context_length: int
    vocab_size: int
    transformer_width: int
    transformer_heads: int
    transformer_layers: int

    def __post_init__(self) -> None:
        sizes = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, size in sizes.items():
            if isinstance(size, int) and size < 1:
                raise NotAClip(f"{name} is {size}")
        if self.vision_patch_size is None and self.vision_width % 2:
            raise NotAClip(f"vision_width is {self.vision_width}, which is not a multiple of 2")

    @classmethod
    def from_state_dict(cls, tensors: Mapping[str, Tensor]) -> ClipArchitecture:
        """The sizes behind the tensors of a state dict, which may be without data (meta). Raises NotAClip."""
        try:
            width = tensors["ln_final.weight"].shape[0]
            return cls(
                **(_transformer_tower(tensors) if "visual.proj" in tensors else _residual_tower(tensors)),
                embed_dim=tensors["text_projection"].shape[1],
                context_length=tensors["positional_embedding"].shape[0],
                vocab_size=tensors["token_embedding.weight"].shape[0],
                transformer_width=width,
                transformer_heads=_heads(width, "ln_final.weight"),
                transformer_layers=_count(tensors, "transformer.resblocks."),
            )
        except KeyError as error:
            raise NotAClip(f"there is no tensor {error}") from error
        except IndexError as error:
            raise NotAClip("a tensor has too few dimensions") from error

    def build(self) -> CLIP:
        """The network on the meta device: everything but values."""
        with torch.device("meta"):
            return CLIP(**{field.name: getattr(self, field.name) for field in fields(self)})


def build_clip(tensors: Mapping[str, Tensor]) -> CLIP:
    """
    The network with exactly these tensors, not copied and in the types that they have.

    Raises NotAClip, or RuntimeError for a tensor that is missing, of another shape, or not of the network.
    """
    shape = ClipArchitecture.from_state_dict(tensors)
    network = shape.build()
    network.load_state_dict(dict(tensors), assign=True)
    mask = torch.full((shape.context_length, shape.context_length), float("-inf")).triu(1)
    for block in network.transformer.resblocks:
        block.attn_mask = mask  # no buffer in that library, so it was left on the meta device
    return network


def _transformer_tower(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    first = tensors["visual.conv1.weight"].shape
    width, patch = first[0], first[3]
    _heads(width, "visual.conv1.weight")
    return {
        "image_resolution": patch * _side(tensors, "visual.positional_embedding"),
        "vision_layers": _count(tensors, "visual.transformer.resblocks."),
        "vision_width": width,
        "vision_patch_size": patch,
    }


def _residual_tower(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "image_resolution": 32 * _side(tensors, "visual.attnpool.positional_embedding"),
        "vision_layers": tuple(_count(tensors, f"visual.layer{stage}.") for stage in RESNET_STAGES),
        "vision_width": tensors["visual.layer1.0.conv1.weight"].shape[0],
        "vision_patch_size": None,
    }


def _side(tensors: Mapping[str, Tensor], name: str) -> int:
    """Positions along one side of a square of them, beside which one more stands for the whole."""
    positions = tensors[name].shape[0] - 1
    side = math.isqrt(max(0, positions))
    if side * side != positions or side == 0:
        raise NotAClip(f"{name} has {positions + 1} rows, but must have a square number of patches plus one")
    return side


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """How many blocks have tensors below `prefix`."""
    found = {name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)}
    if not found:
        raise NotAClip(f"there is no tensor '{prefix}…'")
    return len(found)


def _heads(width: int, name: str) -> int:
    if width % HEAD_WIDTH:
        raise NotAClip(f"{name} is {width} wide, which is not a multiple of {HEAD_WIDTH}")
    return width // HEAD_WIDTH

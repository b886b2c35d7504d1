"""
CLIP from a pack: texts and pictures into one space.

The classes and the tokenizer are those of openai-clip; the architecture is found in the tensors' shapes. Weights are
float32 whatever the pack holds, since CPUs are slow at half precision; autocast decides on CUDA. Nothing in here is
ever trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from videojob_runner.errors import BadInput
from videojob_runner.models.clip.architecture import NotAClip, build_clip
from videojob_runner.models.clip.openai import CLIP, VisionTransformer, tokenize_texts
from videojob_runner.models.clip.vision import PatchEmbedding, embed_patches
from videojob_runner.models.packs.reader import Pack, to_float32
from videojob_runner.torch_utils.modules import cast_weights, freeze

IMAGE_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
IMAGE_STD: Final = (0.26862954, 0.26130258, 0.27577711)
"""The red, green and blue statistics that CLIP pictures are normalised with."""


class TextTooLong(ValueError):
    """A text has more tokens than the model can read."""


class Clip(nn.Module):
    """A frozen CLIP; embeddings ``[n, D]`` are not normalised."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: CLIP) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(IMAGE_STD).view(1, 3, 1, 1))

    @classmethod
    def load(cls, pack: Pack, *, device: str = "cpu", precision: torch.dtype = torch.float32) -> Clip:
        """
        The network of an opened pack in float32; what sees pictures in `precision`.

        Raises BadInput when the tensors are not those of a CLIP.
        """
        try:
            network = build_clip(to_float32(pack.tensors()))
        except (NotAClip, RuntimeError) as error:
            raise BadInput(f"pack {pack.name!r} does not contain the tensors of a CLIP model: {error}") from error
        # A first convolution stays: a transformer's is changed at each call, which must not round twice, and by a
        # residual network's openai's class tells the type of its texts.
        for part in vision_layers(network.visual):
            cast_weights(part, precision)
        return freeze(cls(network), device)

    @property
    def input_size(self) -> int:
        """Pixels per side of the pictures it sees (S)."""
        return int(self.network.visual.input_resolution)

    @property
    def embed_dim(self) -> int:
        """Length of an embedding (D)."""
        return int(self.network.text_projection.shape[1])

    def encode_image(self, pictures: Tensor) -> Tensor:
        """Embeddings of ``[n, 3, S, S]`` in 0…1."""
        tower = self.network.visual
        if isinstance(tower, VisionTransformer):
            patches = PatchEmbedding.from_conv(tower.conv1.weight, mean=self.mean, deviation=self.deviation)
            return embed_patches(tower, patches(pictures))
        embeddings: Tensor = tower((pictures - self.mean) / self.deviation)
        return embeddings

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Embeddings of texts. Raises TextTooLong."""
        embeddings: Tensor = self.network.encode_text(self.tokenize(texts).to(self.mean.device))
        return embeddings

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids ``[n, context length]`` of the stock tokenizer. Raises TextTooLong."""
        limit = int(self.network.context_length)
        try:
            return tokenize_texts(texts, length=limit)
        except ValueError as error:
            raise TextTooLong(f"{error}; this CLIP accepts {limit} tokens, including start and end") from error


def vision_layers(tower: nn.Module) -> list[nn.Module]:
    """The parts of an image tower whose weights may be kept in a shorter type."""
    if isinstance(tower, VisionTransformer):
        return [tower.transformer]
    return [part for name, part in tower.named_children() if name != "conv1"]

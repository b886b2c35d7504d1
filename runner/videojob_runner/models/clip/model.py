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
from videojob_runner.models.clip.architecture import NoClip, clip_network
from videojob_runner.models.clip.openai import CLIP, VisionTransformer, tokenised
from videojob_runner.models.clip.vision import Patches, embedded
from videojob_runner.models.packs.reader import Pack, as_float
from videojob_runner.torch_utils.modules import frozen, shortened

MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
DEVIATION: Final = (0.26862954, 0.26130258, 0.27577711)
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
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    @classmethod
    def load(cls, pack: Pack, *, device: str = "cpu", precision: torch.dtype = torch.float32) -> Clip:
        """
        The network of an opened pack in float32; what sees pictures in `precision`.

        Raises BadInput when the tensors are not those of a CLIP.
        """
        try:
            network = clip_network(as_float(pack.tensors()))
        except (NoClip, RuntimeError) as error:
            raise BadInput(f"pack {pack.name!r} does not hold the tensors of a CLIP: {error}") from error
        # A first convolution stays: a transformer's is changed at each call, which must not round twice, and by a
        # residual network's openai's class tells the type of its texts.
        for part in seeing_parts(network.visual):
            shortened(part, precision)
        return frozen(cls(network), device)

    @property
    def side(self) -> int:
        """Pixels per side of the pictures it sees (S)."""
        return int(self.network.visual.input_resolution)

    @property
    def width(self) -> int:
        """Length of an embedding (D)."""
        return int(self.network.text_projection.shape[1])

    def encode_image(self, pictures: Tensor) -> Tensor:
        """Embeddings of ``[n, 3, S, S]`` in 0…1."""
        tower = self.network.visual
        if isinstance(tower, VisionTransformer):
            patches = Patches.of(tower.conv1.weight, mean=self.mean, deviation=self.deviation)
            return embedded(tower, patches(pictures))
        embeddings: Tensor = tower((pictures - self.mean) / self.deviation)
        return embeddings

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Embeddings of texts. Raises TextTooLong."""
        embeddings: Tensor = self.network.encode_text(self.tokens(texts).to(self.mean.device))
        return embeddings

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Token ids ``[n, context length]`` of the stock tokenizer. Raises TextTooLong."""
        limit = int(self.network.context_length)
        try:
            return tokenised(texts, length=limit)
        except ValueError as error:
            raise TextTooLong(f"{error}; this CLIP reads {limit} tokens, start and end included") from error


def seeing_parts(tower: nn.Module) -> list[nn.Module]:
    """The parts of an image tower whose weights may be kept in a shorter type."""
    if isinstance(tower, VisionTransformer):
        return [tower.transformer]
    return [part for name, part in tower.named_children() if name != "conv1"]

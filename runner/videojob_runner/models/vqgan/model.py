"""
The VQGAN first stage from a pack: encoder, codebook, decoder.

The networks are those of taming-transformers. They are built without memory or random numbers and then take the pack's
tensors, all of them and no other. Nothing in here is ever trained. Two sorts are known: those that encode a picture as
the nearest codes (VQModel), and those whose encoder learnt to choose (GumbelVQ); both decode alike.
"""

from __future__ import annotations

import contextlib
import io
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, ValidationError, model_validator
from taming.modules.diffusionmodules.model import Decoder, Encoder
from taming.modules.vqvae.quantize import VectorQuantizer
from torch import Tensor, nn
from videojob_api.base import Document

from videojob_runner.errors import BadInput
from videojob_runner.models.kernels.frozen_layers import conv2d
from videojob_runner.models.packs.reader import Pack, to_float32
from videojob_runner.models.vqgan.decoder import decode
from videojob_runner.models.vqgan.encoder import encode
from videojob_runner.torch_utils.modules import cast_weights, freeze

Width = Annotated[int, Field(ge=1, le=65_536)]


class VqganArchitecture(Document):
    """`architecture` of a pack of kind `vqgan`, in the words of taming's configuration."""

    ch: Width
    """Channels of the first level; with every multiplier a multiple of 32 (group norm)."""
    ch_mult: Annotated[list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=1, max_length=8)]
    num_res_blocks: Annotated[int, Field(ge=1, le=16)]
    attn_resolutions: list[Width] = []
    """Nominal sides, counted from `resolution`, at which attention blocks stand."""
    resolution: Width
    z_channels: Width
    embed_dim: Width
    """Length C of a codebook vector."""
    codebook_size: Width
    """Number K of codebook vectors."""
    quantiser: Literal["nearest", "gumbel"] = "nearest"
    """How a picture's codes are chosen: the nearest vectors, or those of the largest Gumbel logits."""

    @model_validator(mode="after")
    def _logits_take_latents(self) -> Self:
        if self.quantiser == "gumbel" and self.z_channels != self.embed_dim:
            raise ValueError(f"zChannels {self.z_channels} and embedDim {self.embed_dim} must be equal with gumbel")
        return self

    @property
    def factor(self) -> int:
        """Pixels of the picture per position of the latent along one side (f)."""
        return int(2 ** (len(self.ch_mult) - 1))

    def taming_arguments(self) -> dict[str, object]:
        """Keyword arguments of taming's Encoder and Decoder."""
        own = self.model_dump(exclude={"embed_dim", "codebook_size", "quantiser"})
        return {**own, "in_channels": 3, "out_ch": 3, "double_z": False}


class GumbelQuantizer(nn.Module):
    """The codebook of a GumbelVQ with what chooses from it, under the names that its checkpoints use."""

    def __init__(self, codebook_size: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(codebook_size, width)
        self.proj = nn.Conv2d(width, codebook_size, 1)


class Vqgan(nn.Module):
    """Pictures ``[B, 3, H, W]`` in −1…1 to latents ``[B, C, H/f, W/f]`` and back; H and W multiples of f."""

    def __init__(self, architecture: VqganArchitecture) -> None:
        super().__init__()
        self.factor = architecture.factor
        options, z, c = architecture.taming_arguments(), architecture.z_channels, architecture.embed_dim
        with contextlib.redirect_stdout(io.StringIO()):  # the decoder prints its shape
            self.encoder, self.decoder = Encoder(**options), Decoder(**options)
        self.quantize = (
            GumbelQuantizer(architecture.codebook_size, c)
            if architecture.quantiser == "gumbel"
            else VectorQuantizer(architecture.codebook_size, c, beta=1.0)
        )
        self.quant_conv, self.post_quant_conv = nn.Conv2d(z, c, 1), nn.Conv2d(c, z, 1)

    @classmethod
    def load(cls, pack: Pack, *, device: str = "cpu", precision: torch.dtype = torch.float32) -> Vqgan:
        """
        The network of an opened pack, frozen, in float32; the decoder's convolutions in `precision`.

        Raises BadInput when tensors and architecture differ.
        """
        try:
            architecture = VqganArchitecture.model_validate(pack.manifest.architecture)
            with torch.device("meta"):
                network = cls(architecture)
            network.load_state_dict(to_float32(pack.tensors()), assign=True)
        except (ValidationError, RuntimeError, ValueError) as error:
            raise BadInput(f"pack {pack.name!r} does not fit its architecture: {error}") from error
        cast_weights(network.decoder, precision)
        cast_weights(network.post_quant_conv, precision)
        return freeze(network, device)

    @property
    def codebook(self) -> Tensor:
        """The code vectors ``[K, C]``."""
        table = self.quantize.embed if isinstance(self.quantize, GumbelQuantizer) else self.quantize.embedding
        weight: Tensor = table.weight
        return weight

    @property
    def code_logits(self) -> nn.Conv2d | None:
        """Latents ``[B, C, h, w]`` to the logits ``[B, K, h, w]`` of their codes; None: the nearest codes are meant."""
        return self.quantize.proj if isinstance(self.quantize, GumbelQuantizer) else None

    def encode(self, picture: Tensor) -> Tensor:
        """The latent of a picture, not yet snapped to the codebook."""
        return conv2d(encode(self.encoder, picture), self.quant_conv)

    def decode(self, latent: Tensor, *, recompute: bool = False) -> Tensor:
        """
        The picture of a (snapped) latent; about −1…1, not clamped.

        With `recompute` less is kept for the backward pass, which then takes longer and gives the same bits.
        """
        return decode(self.decoder, conv2d(latent, self.post_quant_conv), recompute=recompute)

"""
The VQGAN of the pack: taming's encoder, decoder and quantiser around two 1×1 convolutions, with taming's tensor names.

Images are ``[n, 3, H, W]`` in −1…1, latents ``[n, 16, H/4, W/4]``. f = 4 because smaller grids melt corners: a
codebook of 1024 cannot hold every edge of every colour pair on 8×8 pixels.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import asdict, dataclass
from typing import Final

import torch
from taming.modules.diffusionmodules.model import Decoder, Encoder
from taming.modules.vqvae.quantize import VectorQuantizer
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class VqganArchitecture:
    """The shape of a first stage; the keys of `pack.json` are these names in camel case."""

    ch: int = 32
    ch_mult: tuple[int, ...] = (2, 2, 4)
    num_res_blocks: int = 1
    attn_resolutions: tuple[int, ...] = ()
    resolution: int = 64
    z_channels: int = 64
    embed_dim: int = 16
    codebook_size: int = 1024

    def document(self) -> dict[str, object]:
        """The keys and values of `architecture` in `pack.json`."""
        return {_camel(name): list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


DEFAULT_ARCHITECTURE: Final = VqganArchitecture()


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


class FirstStage(nn.Module):
    """Encoder, quantiser and decoder; `state_dict` has taming's names."""

    def __init__(self, shape: VqganArchitecture = DEFAULT_ARCHITECTURE) -> None:
        super().__init__()
        common = {
            "ch": shape.ch,
            "ch_mult": shape.ch_mult,
            "num_res_blocks": shape.num_res_blocks,
            "attn_resolutions": shape.attn_resolutions,
            "resolution": shape.resolution,
            "z_channels": shape.z_channels,
            "in_channels": 3,
            "out_ch": 3,
        }
        with contextlib.redirect_stdout(io.StringIO()):  # the decoder prints its latent's shape
            self.encoder = Encoder(**common, double_z=False)
            self.decoder = Decoder(**common)
        self.quantize = VectorQuantizer(shape.codebook_size, shape.embed_dim, beta=1.0)
        self.quant_conv = nn.Conv2d(shape.z_channels, shape.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(shape.embed_dim, shape.z_channels, 1)

    @property
    def codebook(self) -> Tensor:
        """The codebook ``[K, D]``."""
        weight: Tensor = self.quantize.embedding.weight
        return weight

    def encode(self, images: Tensor) -> Tensor:
        """Encodings before quantisation, ``[n, D, h, w]``."""
        encoded: Tensor = self.quant_conv(self.encoder(images))
        return encoded

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures of (quantised) latents, about −1…1, not clamped."""
        decoded: Tensor = self.decoder(self.post_quant_conv(latents))
        return decoded

    def indices(self, latents: Tensor) -> Tensor:
        """Nearest codebook rows ``[n, h, w]`` of latents, in fp32."""
        flat = latents.float().permute(0, 2, 3, 1)
        distance = self.codebook.square().sum(1) - 2 * flat @ self.codebook.t()
        return distance.argmin(-1)

    def embed(self, indices: Tensor) -> Tensor:
        """Latents of token grids ``[n, h, w]``."""
        return self.codebook[indices].permute(0, 3, 1, 2)

    def quantize_st(self, latents: Tensor) -> Tensor:
        """The nearest codebook vectors, with the gradient passed straight through to `encode`."""
        nearest = self.embed(self.indices(latents.detach()))
        return latents + (nearest - latents).detach()

    @torch.no_grad()
    def reconstruct(self, images: Tensor) -> Tensor:
        """Encode, quantise, decode, clamped to −1…1."""
        return self.decode(self.quantize_st(self.encode(images))).clamp(-1, 1)

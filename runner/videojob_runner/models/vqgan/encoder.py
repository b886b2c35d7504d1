"""
The encoder of taming-transformers, walked by our own function as the decoder is.

Its own `forward` holds on to the result of every layer until the last. Nothing is trained through it here, so each can
go when the next is there.
"""

from __future__ import annotations

import torch
from taming.modules.diffusionmodules.model import Encoder
from torch import Tensor

from videojob_runner.models.kernels.frozen_layers import convolved
from videojob_runner.models.vqgan.decoder import activated, attended, residual


def encode(encoder: Encoder, picture: Tensor) -> Tensor:
    """``[B, z channels, H/f, W/f]`` of a picture ``[B, 3, H, W]``, as `encoder` would make it."""
    if picture.device.type == "cpu":
        picture = picture.contiguous(memory_format=torch.channels_last)
    h = convolved(picture, encoder.conv_in)
    for level in encoder.down:
        for index, block in enumerate(level.block):
            h = residual(block, h)
            if len(level.attn):
                h = attended(level.attn[index], h)
        if hasattr(level, "downsample"):
            h = level.downsample(h)
    middle = encoder.mid
    h = residual(middle.block_2, attended(middle.attn_1, residual(middle.block_1, h)))
    return convolved(activated(h, encoder.norm_out), encoder.conv_out)

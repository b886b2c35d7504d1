"""
The encoder of taming-transformers, walked by our own function as the decoder is.

Its own `forward` holds on to the result of every layer until the last. Nothing is trained through it here, so each can
go when the next is there.
"""

from __future__ import annotations

import torch
from taming.modules.diffusionmodules.model import Encoder
from torch import Tensor

from videojob_runner.models.kernels.frozen_layers import conv2d
from videojob_runner.models.vqgan.decoder import attention_block, norm_silu, residual_block


def encode(encoder: Encoder, picture: Tensor) -> Tensor:
    """``[B, z channels, H/f, W/f]`` of a picture ``[B, 3, H, W]``, as `encoder` would make it."""
    if picture.device.type == "cpu":
        picture = picture.contiguous(memory_format=torch.channels_last)
    h = conv2d(picture, encoder.conv_in)
    for level in encoder.down:
        for index, block in enumerate(level.block):
            h = residual_block(block, h)
            if len(level.attn):
                h = attention_block(level.attn[index], h)
        if hasattr(level, "downsample"):
            h = level.downsample(h)
    middle = encoder.mid
    h = residual_block(middle.block_2, attention_block(middle.attn_1, residual_block(middle.block_1, h)))
    return conv2d(norm_silu(h, encoder.norm_out), encoder.conv_out)

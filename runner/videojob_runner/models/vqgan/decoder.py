"""
The decoder of taming-transformers, walked by our own function.

The modules and their weights are taming's. Its own `forward` multiplies by a sigmoid, keeps both factors, and keeps the
input of every convolution: eight tensors for each residual block where two suffice (`layers`, `norms`). With
`recompute` one suffices: a block keeps its input alone, and is computed once more when its gradient is wanted, bit by
bit as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as nnf
from taming.modules.diffusionmodules.model import AttnBlock, Decoder, Upsample
from torch import Tensor, nn

from videojob_runner.models.kernels.frozen_layers import checkpoint_activations, compute_dtype, conv2d, upsample_conv2d
from videojob_runner.models.kernels.group_norm_silu import group_norm_silu

Stage = Callable[[Tensor], Tensor]


def decode(decoder: Decoder, latent: Tensor, *, recompute: bool = False) -> Tensor:
    """The picture ``[B, 3, H, W]`` of ``[B, z channels, H/f, W/f]``, as `decoder` would make it."""
    if latent.device.type == "cpu":  # there the layers behind are faster in this order, at the sizes that take long
        latent = latent.contiguous(memory_format=torch.channels_last)
    h = conv2d(latent, decoder.conv_in)
    for stage, keeps in iter_stages(decoder):
        h = checkpoint_activations(h, stage) if recompute and keeps else stage(h)
    return conv2d(norm_silu(h, decoder.norm_out), decoder.conv_out)


def iter_stages(decoder: Decoder) -> Iterator[tuple[Stage, bool]]:
    """What comes between the first convolution and the last, in order, and whether it keeps anything."""
    for part in iter_modules(decoder):
        if isinstance(part, Upsample):
            yield partial(upsample_conv2d, layer=part.conv), False
        else:
            yield partial(attention_block if isinstance(part, AttnBlock) else residual_block, part), True


def iter_modules(decoder: Decoder) -> Iterator[Any]:
    """The decoder's modules between the first convolution and the last, in the order of its `forward`."""
    yield from (decoder.mid.block_1, decoder.mid.attn_1, decoder.mid.block_2)
    for level in reversed(decoder.up):
        for index, block in enumerate(level.block):
            yield block
            if len(level.attn):
                yield level.attn[index]
        if hasattr(level, "upsample"):
            yield level.upsample


def residual_block(block: Any, x: Tensor) -> Tensor:
    """A residual block: two norms, activations and convolutions, beside a way past them."""
    h = conv2d(norm_silu(x, block.norm1), block.conv1)
    h = conv2d(norm_silu(h, block.norm2), block.conv2)
    past = x if block.in_channels == block.out_channels else conv2d(x, block.nin_shortcut)
    return h.add_(past)


def norm_silu(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    """The norm and the activation before a convolution."""
    return group_norm_silu(x, norm, kind=compute_dtype(x))


def attention_block(block: Any, x: Tensor) -> Tensor:
    """A block in which every position looks at every other, with one head; never holds all pairs at once."""
    h = block.norm(x)
    # In one piece, or torch would hold all pairs after all.
    query, key, value = (conv2d(h, part).flatten(2).mT.contiguous()[:, None] for part in (block.q, block.k, block.v))
    seen = nnf.scaled_dot_product_attention(query, key, value)
    return conv2d(seen[:, 0].mT.reshape(x.shape), block.proj_out).add_(x)

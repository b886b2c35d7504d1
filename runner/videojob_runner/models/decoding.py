"""
The decoder of taming-transformers, walked by our own function.

The modules and their weights are taming's. Its own `forward` multiplies by a sigmoid, keeps both factors, and keeps the
input of every convolution: eight tensors for each residual block where two suffice (`layers`). With `recompute` one
suffices: a block keeps its input alone, and is computed once more when its gradient is wanted, bit by bit as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch.nn.functional as nnf
from taming.modules.diffusionmodules.model import Decoder
from torch import Tensor

from videojob_runner.models.layers import activated_norm, convolved, enlarged, recomputed

Stage = Callable[[Tensor], Tensor]


def decode(decoder: Decoder, latent: Tensor, *, recompute: bool = False) -> Tensor:
    """The picture ``[B, 3, H, W]`` of ``[B, z channels, H/f, W/f]``, as `decoder` would make it."""
    h = convolved(latent, decoder.conv_in)
    for stage in stages(decoder):
        h = recomputed(h, stage) if recompute else stage(h)
    return convolved(activated_norm(h, decoder.norm_out), decoder.conv_out)


def stages(decoder: Decoder) -> Iterator[Stage]:
    """What comes between the first convolution and the last, in order."""
    middle = decoder.mid
    yield from (partial(residual, middle.block_1), partial(attended, middle.attn_1), partial(residual, middle.block_2))
    for level in reversed(decoder.up):
        for index, block in enumerate(level.block):
            yield partial(residual, block)
            if len(level.attn):
                yield partial(attended, level.attn[index])
        if hasattr(level, "upsample"):
            yield partial(enlarged, layer=level.upsample.conv)


def residual(block: Any, x: Tensor) -> Tensor:
    """A residual block: two norms, activations and convolutions, beside a way past them."""
    h = convolved(activated_norm(x, block.norm1), block.conv1)
    h = convolved(activated_norm(h, block.norm2), block.conv2)
    past = x if block.in_channels == block.out_channels else convolved(x, block.nin_shortcut)
    return h.add_(past)


def attended(block: Any, x: Tensor) -> Tensor:
    """A block in which every position looks at every other, with one head; never holds all pairs at once."""
    h = block.norm(x)
    query, key, value = (convolved(h, part).flatten(2).mT[:, None] for part in (block.q, block.k, block.v))
    seen = nnf.scaled_dot_product_attention(query, key, value)
    return convolved(seen[:, 0].mT.reshape(x.shape), block.proj_out).add_(x)

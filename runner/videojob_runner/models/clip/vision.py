"""
CLIP's vision transformer, walked by our own function.

The modules and their weights are openai-clip's, the result is theirs but for rounding. Three things are done with less:
cutting into patches and normalising colours are one matrix product; the activation, x·sigmoid(1.702·x), is a SiLU
between a norm that multiplies by 1.702 and a sum that divides by it; and the last block works for the one token whose
output is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from videojob_runner.models.kernels.frozen_layers import linear

QUICK_GELU_SLOPE: Final = 1.702
"""Of the sigmoid in CLIP's activation."""


@dataclass(frozen=True, slots=True)
class PatchEmbedding:
    """Patches of pictures in 0…1 to vectors: the first convolution, and the normalisation before it."""

    weight: Tensor
    """``[width, 3·p·p]``."""
    bias: Tensor
    """``[width]``."""
    side: int
    """Pixels along a patch (p)."""

    @classmethod
    def from_conv(cls, weight: Tensor, *, mean: Tensor, deviation: Tensor) -> PatchEmbedding:
        """From a kernel ``[width, 3, p, p]``; `mean` and `deviation` are ``[1, 3, 1, 1]``."""
        scaled = weight / deviation
        return cls(scaled.flatten(1), -(scaled * mean).sum((1, 2, 3)), weight.shape[-1])

    def __call__(self, pictures: Tensor) -> Tensor:
        """``[n, 3, S, S]`` to ``[n, (S/p)², width]``."""
        count, colours, side, _ = pictures.shape
        grid = side // self.side
        cells = pictures.view(count, colours, grid, self.side, grid, self.side).permute(0, 2, 4, 1, 3, 5)
        return token_linear(cells.reshape(count, grid * grid, -1), self.weight, self.bias)


def embed_patches(tower: Any, patches: Tensor) -> Tensor:
    """Embeddings ``[n, D]`` of ``[n, patches, width]`` by a `VisionTransformer` without its first convolution."""
    whole = tower.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    x = torch.cat([whole, patches], 1) + tower.positional_embedding.to(patches.dtype)
    x = tower.ln_pre(x)
    *blocks, last = tower.transformer.resblocks
    for block in blocks:
        x = apply_block(block, x, queries=x)
    x = apply_block(last, x, queries=x[:, :1])
    result: Tensor = tower.ln_post(x[:, 0]) @ tower.proj
    return result


def apply_block(block: Any, x: Tensor, *, queries: Tensor) -> Tensor:
    """What a `ResidualAttentionBlock` makes of those tokens of ``[n, L, width]`` that are `queries`, its first ones."""
    queries = queries + attention(block.attn, block.ln_1(x), count=queries.shape[1])
    return torch.add(queries, quick_gelu_mlp(block, queries), alpha=1 / QUICK_GELU_SLOPE)


def attention(attention: nn.MultiheadAttention, x: Tensor, *, count: int) -> Tensor:
    """What the first `count` tokens see in all of ``[n, L, width]``."""
    width, heads = attention.embed_dim, attention.num_heads
    weights, biases = attention.in_proj_weight, attention.in_proj_bias
    if count == x.shape[1]:
        projected = token_linear(x, weights, biases).chunk(3, -1)
    else:
        query = token_linear(x[:, :count], weights[:width], biases[:width])
        projected = (query, *token_linear(x, weights[width:], biases[width:]).chunk(2, -1))
    query, key, value = (part.view(*part.shape[:2], heads, -1).transpose(1, 2) for part in projected)
    heads_beside = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
    return token_linear(heads_beside, attention.out_proj.weight, attention.out_proj.bias)


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """What queries ``[n, heads, l, c]`` see; torch's own kernel for CPUs is two to three times slower in bfloat16."""
    if query.device.type != "cpu" or query.dtype == torch.float32:
        return nnf.scaled_dot_product_attention(query, key, value)
    return torch.softmax(query * query.shape[-1] ** -0.5 @ key.mT, -1) @ value


def quick_gelu_mlp(block: Any, x: Tensor) -> Tensor:
    """
    The two layers around the activation, with the norm before them; `QUICK_GELU_SLOPE` times as much as the block adds.
    """
    norm, first, second = block.ln_2, block.mlp.c_fc, block.mlp.c_proj
    steeper = nnf.layer_norm(
        x, norm.normalized_shape, norm.weight * QUICK_GELU_SLOPE, norm.bias * QUICK_GELU_SLOPE, norm.eps
    )
    hidden = token_linear(steeper, first.weight, first.bias * QUICK_GELU_SLOPE)
    return token_linear(nnf.silu(hidden), second.weight, second.bias * QUICK_GELU_SLOPE)


def token_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A linear layer of ``[n, L, width]``."""
    return linear(x.flatten(0, 1), weight, bias).view(*x.shape[:2], -1)

"""
Counts the activations both networks store for the backward pass, found from the shapes of their layers alone.

The counts follow `decoding` and `vision` line by line, so whoever changes what is kept there changes it here; the tests
compare both with what autograd really holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from taming.modules.diffusionmodules.model import AttnBlock, Decoder, Upsample
from torch import nn

from videojob_runner.models.clip.openai import VisionTransformer
from videojob_runner.models.vqgan.decoder import iter_modules

VALUES_PER_TOKEN: Final = 10
"""What a block keeps of each token, in widths: two norms' inputs, query, key, value, their result, and the MLP's 4."""


def decoder_activations(decoder: Decoder, positions: int, *, recompute: bool) -> int:
    """Numbers kept for one picture whose latent has so many positions."""
    statistics = 2 * decoder.norm_out.num_groups  # of each norm
    total = statistics
    for part in iter_modules(decoder):
        if isinstance(part, Upsample):
            positions *= 4
        elif recompute:
            total += positions * part.in_channels
        elif isinstance(part, AttnBlock):  # the norm's input, query, key, value, their result, a logarithm each
            total += positions * (5 * part.in_channels + 1) + statistics
        else:  # the two norms' inputs
            total += positions * (part.in_channels + part.out_channels) + 2 * statistics
    return int(total + positions * decoder.norm_out.num_channels)


def largest_activation(decoder: Decoder, positions: int) -> int:
    """Numbers of the largest tensor between two of its layers."""
    sizes = []
    for part in iter_modules(decoder):
        positions *= 4 if isinstance(part, Upsample) else 1
        channels = part.conv.out_channels if isinstance(part, Upsample) else part.in_channels
        sizes.append(positions * channels)
    return int(max(sizes))


def vision_activations(tower: Any) -> int:
    """Numbers that CLIP's picture tower keeps of one view."""
    return _of_transformer(tower) if isinstance(tower, VisionTransformer) else sum(_of_residual(tower))


def _of_transformer(tower: Any) -> int:
    tokens, width = tower.positional_embedding.shape
    blocks, heads = tower.transformer.layers, tower.transformer.resblocks[0].attn.num_heads
    # Besides, a logarithm of each head and two statistics of each norm.
    full = (blocks - 1) * (VALUES_PER_TOKEN * width + heads + 4)
    last = 3 * width + 2  # of all its tokens the last block keeps the norm's input, key and value
    return int(tokens * (width + 2 + full + last) + VALUES_PER_TOKEN * width)


def _of_residual(tower: Any) -> Iterator[int]:
    """What each layer of openai-clip's residual tower keeps, which goes by that library's own `forward`."""
    side = tower.input_resolution // 2
    yield 3 * tower.input_resolution**2
    for stem in (tower.conv1, tower.conv2, tower.conv3):
        yield 2 * stem.out_channels * side**2  # what the batch norm and the activation keep
    side //= 2
    for layer in (tower.layer1, tower.layer2, tower.layer3, tower.layer4):
        for block in layer:
            inner, outer, after = block.conv1.out_channels, block.conv3.out_channels, side // block.stride
            yield 4 * inner * side**2 + 2 * outer * after**2
            if block.stride > 1:
                yield (block.conv1.in_channels + inner) * after**2
            if isinstance(block.downsample, nn.Sequential):
                yield outer * after**2
            side = after
    positions, width = tower.attnpool.positional_embedding.shape
    yield 7 * positions * width

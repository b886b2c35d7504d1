"""Networks that are only used: their weights' type, and that nothing changes them."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def cast_weights(network: nn.Module, kind: torch.dtype) -> None:
    """Keeps the weights of matrix products and convolutions in `kind`, as autocast would have them at every call."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data = module.weight.to(kind)
        elif isinstance(module, nn.MultiheadAttention):
            module.in_proj_weight.data = module.in_proj_weight.to(kind)


def freeze(network: NetworkT, device: str) -> NetworkT:
    """The network on `device`, never to be trained; channels-last on CUDA (on CPUs that measured slower)."""
    network.requires_grad_(False).eval().to(device)
    if device.startswith("cuda"):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network

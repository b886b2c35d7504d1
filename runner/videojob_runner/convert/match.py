"""Tensors against the network that they are for: all of them, each of the right shape, no other, all numbers finite."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import torch
from torch import Tensor

from videojob_runner.errors import BadInput

MAX_NAMES_SHOWN: Final = 3
"""How many tensors an error names."""


def match_state_dict(tensors: Mapping[str, Tensor], network: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    Copies of `tensors`, when they are exactly those of a network's state dict, which may be without data (meta).

    Types stay as they are, as long as numbers are where numbers shall be. Raises BadInput.
    """
    raise_if_any("lacks", network.keys() - tensors.keys())
    raise_if_any("has, in addition to those of the network,", tensors.keys() - network.keys())
    raise_if_any(
        "has in another shape",
        {word for name in network for word in describe_mismatch(name, tensors[name], network[name])},
    )
    copies = {name: tensors[name].detach().clone(memory_format=torch.contiguous_format) for name in network}
    raise_if_any(
        "has NaN or infinity in", {name for name, tensor in copies.items() if not bool(torch.isfinite(tensor).all())}
    )
    return copies


def describe_mismatch(name: str, found: Tensor, wanted: Tensor) -> list[str]:
    """The difference in words, if there is one."""
    if found.layout != torch.strided or found.is_quantized or found.is_meta:
        return [f"{name} (not a plain tensor)"]
    if found.shape != wanted.shape:
        return [f"{name} ({list(found.shape)} instead of {list(wanted.shape)})"]
    if found.is_floating_point() != wanted.is_floating_point():
        return [f"{name} ({found.dtype} instead of {wanted.dtype})"]
    return []


def raise_if_any(what: str, names: Collection[str]) -> None:
    """Raises BadInput naming the first few of `names`, if there are any."""
    if names:
        more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
        raise BadInput(f"the checkpoint {what} the tensors {', '.join(sorted(names)[:MAX_NAMES_SHOWN])}{more}")

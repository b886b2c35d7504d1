"""Tensors against the network that they are for: all of them, each of the right shape, no other, all numbers finite."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import torch
from torch import Tensor

from videojob_runner.errors import BadInput

NAMED: Final = 3
"""How many tensors an error names."""


def fit(tensors: Mapping[str, Tensor], network: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    Copies of `tensors`, when they are exactly those of a network's state dict, which may be without data (meta).

    Types stay as they are, as long as numbers are where numbers shall be. Raises BadInput.
    """
    refuse("lacks", network.keys() - tensors.keys())
    refuse("has, beside those of the network,", tensors.keys() - network.keys())
    refuse("has in another shape", {word for name in network for word in unlike(name, tensors[name], network[name])})
    copies = {name: tensors[name].detach().clone(memory_format=torch.contiguous_format) for name in network}
    refuse(
        "has NaN or infinity in", {name for name, tensor in copies.items() if not bool(torch.isfinite(tensor).all())}
    )
    return copies


def unlike(name: str, found: Tensor, wanted: Tensor) -> list[str]:
    """The difference in words, if there is one."""
    if found.layout != torch.strided or found.is_quantized or found.is_meta:
        return [f"{name} (not a plain tensor)"]
    if found.shape != wanted.shape:
        return [f"{name} ({list(found.shape)} instead of {list(wanted.shape)})"]
    if found.is_floating_point() != wanted.is_floating_point():
        return [f"{name} ({found.dtype} instead of {wanted.dtype})"]
    return []


def refuse(what: str, names: Collection[str]) -> None:
    """Raises BadInput naming the first few of `names`, if there are any."""
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise BadInput(f"the checkpoint {what} the tensors {', '.join(sorted(names)[:NAMED])}{more}")

"""What follows from frozen weights alone: made once, and kept for as long as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

DerivedT = TypeVar("DerivedT")

_KEPT: Any = WeakIdKeyDictionary()
"""For each weight its version, which counts changes in place, and what was made of it."""


def cached_by_weight(weight: Tensor, make: Callable[[Tensor], DerivedT]) -> DerivedT:
    """``make(weight)``, made once for each `make`, and anew after the weight was changed in place."""
    if weight.is_inference():  # a shortened copy that nobody keeps
        return make(weight)
    version, made = _KEPT.get(weight, (None, {}))
    if version != weight._version:
        made = {}
        _KEPT[weight] = weight._version, made
    if make not in made:
        with torch.inference_mode(False), torch.no_grad():  # what is made while showing is of use in training, too
            made[make] = make(weight.detach())
    found: DerivedT = made[make]
    return found

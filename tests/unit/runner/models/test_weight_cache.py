"""What follows from weights is made once, anew when they change, and goes with them."""

from __future__ import annotations

import gc
import weakref

import torch
from torch import Tensor
from videojob_runner.models.kernels.weight_cache import cached_by_weight


def test_it_is_made_once_for_each_purpose_and_anew_when_the_weight_changes() -> None:
    calls: list[float] = []

    def doubled(weight: Tensor) -> Tensor:
        calls.append(float(weight.sum()))
        return weight * 2

    def halved(weight: Tensor) -> Tensor:
        return weight / 2

    weight, other = torch.ones(3), torch.ones(3)
    assert cached_by_weight(weight, doubled).tolist() == cached_by_weight(weight, doubled).tolist() == [2, 2, 2]
    assert cached_by_weight(weight, halved).tolist() == [0.5, 0.5, 0.5]
    assert cached_by_weight(other, doubled).tolist() == [2, 2, 2]
    assert calls == [3, 3], "once for each weight, equal as they are"
    weight.mul_(5)
    assert cached_by_weight(weight, doubled).tolist() == [10, 10, 10]
    assert cached_by_weight(weight, halved).tolist() == [2.5, 2.5, 2.5]


def test_it_goes_with_its_weight() -> None:
    weight = torch.ones(3)
    made = weakref.ref(cached_by_weight(weight, torch.neg))
    assert made() is not None
    del weight
    gc.collect()
    assert made() is None

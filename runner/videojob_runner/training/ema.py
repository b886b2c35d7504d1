"""
Exponential moving averages of weights.

The averages are tensors beside the networks, not copies of modules: `apply` exchanges the two for a block.
`torch.optim.swa_utils.AveragedModel` is not used: it keeps its count in a tensor, which a warm-up of the decay would
have to read back at each step, and it copies modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ModelEma:
    """
    Moving averages of all parameters and buffers of some networks.

    At update t (from 0) the decay is min(`decay`, (1 + t) / (10 + t)), so that the first weights are soon forgotten.
    Buffers that are not floating point are copied.
    """

    def __init__(self, networks: Mapping[str, nn.Module], decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay: {decay} is not in 0 ≤ decay < 1; 0.999 is usual")
        self.networks = dict(networks)
        self.decay = decay
        self.updates = 0
        self.averages = {name: tensor.detach().clone() for name, tensor in self._live().items()}

    def update(self) -> None:
        """Moves the averages towards the present weights; does not wait for the device."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        groups: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
        for name, live in self._live().items():
            averages, weights = groups.setdefault(live.dtype, ([], []))
            averages.append(self.averages[name])
            weights.append(live.detach())
        for dtype, (averages, weights) in groups.items():
            if dtype.is_floating_point:
                get_ema_multi_avg_fn(decay)(averages, weights, self.updates)  # type: ignore[no-untyped-call]
            else:
                torch._foreach_copy_(averages, weights)
        self.updates += 1

    @contextmanager
    def apply(self) -> Iterator[None]:
        """Gives the networks the averaged weights for the block. Do not train within it."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def state_dict(self) -> dict[str, Tensor]:
        """The averages by `<network>.<tensor>`, not copied."""
        return dict(self.averages)

    @torch.no_grad()
    def load_state_dict(self, averages: Mapping[str, Tensor], updates: int) -> None:
        """Copies averages that `state_dict` returned. Raises KeyError if one is missing."""
        for name, average in self.averages.items():
            average.copy_(averages[name])
        self.updates = updates

    def _live(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for network_name, network in self.networks.items():
            for name, tensor in (*network.named_parameters(), *network.named_buffers()):
                found[f"{network_name}.{name}"] = tensor
        return found

    def _exchange(self) -> None:
        for name, live in self._live().items():
            average = self.averages[name]
            live.data, average.data = average.data, live.data

"""One optimizer step: backward pass, mean gradient over all processes, clipping, optimizer and learning rate."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from videojob_runner.training.distributed import average_gradients


class Optimize:
    """
    Steps optimizers by name; the trainer hands it to `TrainingModule.training_step`.

    Gradients flow into the parameters of the named optimizer only, so a generator's loss leaves no gradients in its
    discriminator, and no gradients are left over from another loss.
    """

    def __init__(
        self,
        optimizers: Mapping[str, Optimizer],
        schedulers: Mapping[str, LRScheduler] | None = None,
        *,
        clip_norm: float | None = None,
    ) -> None:
        self.optimizers = optimizers
        self.schedulers = schedulers or {}
        self.clip_norm = clip_norm

    def __call__(
        self, name: str, loss: Tensor, *, clip_norm: float | None = None, retain_graph: bool = False
    ) -> Tensor:
        """
        Makes one step of the optimizer `name` on the scalar `loss`, and one of its scheduler.

        `clip_norm` overrides the default of the constructor; `retain_graph` keeps the graph for another loss on it.
        Returns the norm of the gradient before clipping, a scalar on the loss's device. Raises ValueError if there is
        no such optimizer.
        """
        optimizer = self.optimizers.get(name)
        if optimizer is None:
            raise ValueError(f"there is no optimizer {name!r}; the module has {', '.join(sorted(self.optimizers))}")
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(loss.device.type, enabled=False):
            torch.autograd.backward(loss, inputs=parameters, retain_graph=retain_graph)
        average_gradients(parameters)
        norm = clip_gradients(parameters, clip_norm if clip_norm is not None else self.clip_norm)
        optimizer.step()
        torch.clear_autocast_cache()  # holds casts of the old weights, whose graph is gone
        if name in self.schedulers:
            self.schedulers[name].step()
        return norm


def clip_gradients(parameters: list[nn.Parameter], limit: float | None) -> Tensor:
    """Scales the gradients so that their common 2-norm is at most `limit`; returns the norm before, a scalar."""
    if limit is not None:
        return nn.utils.clip_grad_norm_(parameters, limit)
    return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])

"""
Optimizers of the latent, by their upstream names (specification vqgan-clip §2.13).

Most are torch's own. DiffGrad damps Adam's step where the gradient hardly changes (Dubey and others 2019), AdamP takes
the part out of it that only lengthens the parameter (Heo and others 2020); torch has neither, so both are written here.
Wherever a table has a dash, a library's defaults hold.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer
from videojob_api.pipelines.vqgan_clip import OptimizerName

BETAS: Final = (0.9, 0.999)


class AdamBase(Optimizer):
    """Adam's two moments; what becomes of them is a subclass's `direction`."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float = 1e-3, *, eps: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Moves every parameter that has a gradient; a closure is called first, as torch's optimisers do."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.update(parameter, parameter.grad + group["weight_decay"] * parameter, group)
        return loss

    def update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """One step of one parameter; `gradient` has the weight decay in it."""
        state = self.state[parameter] or self.init_state(parameter)
        state["step"] += 1
        state["exp_avg"].lerp_(gradient, 1 - BETAS[0])
        state["exp_avg_sq"].mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        first, second = (1 - beta ** int(state["step"]) for beta in BETAS)
        parameter.sub_(self.direction(parameter, gradient, second, group), alpha=group["lr"] / first)

    def init_state(self, parameter: Tensor) -> dict[str, Tensor]:
        """A new memory of `parameter`, which stays with the optimiser."""
        state: dict[str, Tensor] = self.state[parameter]
        state["step"] = torch.tensor(0.0)
        state.update({name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")})
        return state

    @abstractmethod
    def direction(self, parameter: Tensor, gradient: Tensor, second: float, group: dict[str, Any]) -> Tensor:
        """Where to go, shaped like the parameter; `second` corrects the second moment's bias."""


class DiffGrad(AdamBase):
    """Adam whose first moment counts by the sigmoid of how much the gradient has changed since the last step."""

    def init_state(self, parameter: Tensor) -> dict[str, Tensor]:
        """Adam's memory, and the last gradient."""
        state = super().init_state(parameter)
        state["previous"] = torch.zeros_like(parameter)
        return state

    def direction(self, parameter: Tensor, gradient: Tensor, second: float, group: dict[str, Any]) -> Tensor:
        """The damped moment over the root of the second; eps joins in before the bias is corrected."""
        state = self.state[parameter]
        change = (state["previous"] - gradient).abs()
        state["previous"] = gradient.clone()
        damped: Tensor = state["exp_avg"] * change.sigmoid() * math.sqrt(second)
        root: Tensor = state["exp_avg_sq"].sqrt() + group["eps"]
        return damped / root


class AdamP(AdamBase):
    """Adam without the part along the parameter, where the gradient stands about upright on it."""

    COSINE_THRESHOLD: Final = 0.1
    """Largest cosine between gradient and parameter that counts, times the root of their length."""

    def direction(self, parameter: Tensor, gradient: Tensor, second: float, group: dict[str, Any]) -> Tensor:
        """Adam's direction, projected or not; decided on the device, so that nothing waits for it."""
        state, eps = self.state[parameter], group["eps"]
        plain: Tensor = state["exp_avg"] / (state["exp_avg_sq"].sqrt() / math.sqrt(second) + eps)
        cosine = torch.cosine_similarity(gradient.flatten(), parameter.flatten(), dim=0, eps=eps).abs()
        unit = parameter / (parameter.norm() + eps)
        upright = cosine < self.COSINE_THRESHOLD / math.sqrt(parameter.numel())
        return torch.where(upright, plain - unit * (unit * plain).sum(), plain)


OPTIMIZERS: Final[dict[OptimizerName, Callable[[list[Tensor]], Optimizer]]] = {
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "Adagrad": torch.optim.Adagrad,
    "Adamax": torch.optim.Adamax,
    "DiffGrad": lambda parameters: DiffGrad(parameters, eps=1e-9, weight_decay=1e-9),
    "RAdam": torch.optim.RAdam,
    "RMSprop": torch.optim.RMSprop,
    "AdamP": lambda parameters: AdamP(parameters, eps=1e-8),
}
"""How each is made; the learning rate is set before every step."""

"""
Single augmentation steps: kornia's modules, our noise, and which of them may be composed into one warp.

`StepFactory` makes them in two ways: mended, or as the original programs have them (specification vqgan-clip §2.9.4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import kornia.augmentation as kornia
import torch
from torch import Tensor

from videojob_runner.engines.vqgan_clip.cutouts.color_jitter import ColorJiggle, ColorJitter
from videojob_runner.engines.vqgan_clip.cutouts.geometry import ComposedWarp, UpstreamPerspective
from videojob_runner.torch_utils.random_streams import RandomStreams, borrow_global_rng

AugmentationStep = Callable[[Tensor, RandomStreams], Tensor]
"""Views ``[n, 3, S, S]`` in about 0…1 to others of the same shape; draws for each view whether it acts there."""


@dataclass(frozen=True, slots=True)
class KorniaStep:
    """A kornia module as a step."""

    module: Any

    def __call__(self, views: Tensor, randomness: RandomStreams) -> Tensor:
        """What the module makes of the views."""
        with borrow_global_rng(randomness.host):
            changed: Tensor = self.module(views)
        return changed


@dataclass(frozen=True, slots=True)
class PerViewKorniaStep:
    """
    A kornia module of colours as a step, with the same result: views do not depend on each other.

    kornia computes all views and keeps some. On a CPU only those are computed, one after the other, so that what
    lies between its many small operations stays in the cache; a GPU has the whole batch at once.
    """

    module: Any

    def __call__(self, views: Tensor, randomness: RandomStreams) -> Tensor:
        """What the module makes of the views that it draws."""
        with borrow_global_rng(randomness.host):
            drawn = self.module.forward_parameters(views.shape)
        if views.device.type != "cpu":
            changed: Tensor = self.module(views, params=drawn)
            return changed
        chosen = (drawn["batch_prob"] > 0.5).tolist()
        parts = torch.split(views, 1)
        return torch.cat([self.apply_to_view(part, drawn, at) if chosen[at] else part for at, part in enumerate(parts)])

    def apply_to_view(self, view: Tensor, drawn: Mapping[str, Tensor], at: int) -> Tensor:
        """The view ``[1, 3, S, S]`` number `at` with its own parameters."""
        own = {name: drawn[name][at : at + 1] for name in drawn.keys() & PER_VIEW_PARAMETERS} | {
            "order": drawn.get("order")
        }
        changed: Tensor = self.module.apply_transform(view, own, self.module.flags)
        return changed


PER_VIEW_PARAMETERS: Final = frozenset(
    {"brightness_factor", "contrast_factor", "hue_factor", "saturation_factor", "sharpness"}
)
"""Of kornia's parameters those that have one value for each view."""


@dataclass(frozen=True, slots=True)
class Homography:
    """A geometric kornia module that `compose_warps` takes together with its neighbours."""

    module: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianNoise:
    """Normal noise of one `deviation` on views drawn with `chance`; kornia's draws from the compute device's state."""

    deviation: float
    chance: float

    def __call__(self, views: Tensor, randomness: RandomStreams) -> Tensor:
        """The views, some of them with noise."""
        chosen = torch.rand(len(views), generator=randomness.host) < self.chance
        noise = torch.randn(views.shape, generator=randomness.noise, device=views.device)
        return views + self.deviation * chosen.view(-1, 1, 1, 1).to(views) * noise


StepOrWarp = AugmentationStep | Homography


def compose_warps(parts: Sequence[StepOrWarp]) -> list[AugmentationStep]:
    """The steps, with neighbouring homographies taken together."""
    done: list[AugmentationStep] = []
    for together, group in groupby(parts, key=lambda part: isinstance(part, Homography)):
        if together:
            done.append(ComposedWarp(tuple(part.module for part in group if isinstance(part, Homography))))
        else:
            done.extend(part for part in group if not isinstance(part, Homography))
    return done


@dataclass(frozen=True, slots=True)
class StepFactory:
    """Makes steps, mended or, with `upstream`, as they were."""

    upstream: bool

    def geometric(self, module: Any) -> StepOrWarp:
        """A module without anything to mend but its borders and its own warp."""
        return KorniaStep(module) if self.upstream else Homography(module)

    def affine(self, degrees: float, *, shift: tuple[float, float], chance: float, **options: Any) -> StepOrWarp:
        """A turn with a shift across and down, in parts of the side; perhaps a shear."""
        return self.geometric(kornia.RandomAffine(degrees, translate=self.shift(*shift), p=chance, **options))

    def shift(self, across: float, down: float) -> tuple[float, float]:
        """The original gives one number for both directions, which kornia takes for the second alone (Q-35)."""
        return (0.0, down) if self.upstream else (across, down)

    def perspective(self, distortion: float, *, chance: float) -> StepOrWarp:
        """Corners that move inward by up to `distortion` halves of the side; the original's border is black (Q-36)."""
        if self.upstream:
            return UpstreamPerspective(distortion, chance=chance)
        return Homography(kornia.RandomPerspective(distortion, p=chance))

    def sharpness(self, strength: float, *, chance: float) -> AugmentationStep:
        """kornia's factor is 0 for a full blur, 1 for no change, more for sharper; the original only blurs (Q-36)."""
        factors = (0.0, strength) if self.upstream else (1.0, 1.0 + strength)
        return PerViewKorniaStep(kornia.RandomSharpness(factors, p=chance))

    def jitter(self, *, chance: float, **ranges: float) -> AugmentationStep:
        """Colours; the original adds brightness where torchvision multiplies, and always clips to 0…1."""
        return PerViewKorniaStep((ColorJiggle if self.upstream else ColorJitter)(p=chance, **ranges))

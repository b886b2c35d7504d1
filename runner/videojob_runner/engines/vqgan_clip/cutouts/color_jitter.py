"""
Jitter of colours: kornia's, with saturation and hue changed in red, green and blue instead of by way of HSV and back.

Of a colour's three channels the largest, the smallest and their difference stay as they are when its hue turns: so do
saturation and value. A turn only changes which channel is where between them (A. R. Smith, "Color gamut transform
pairs", 1978). The gradient of that has no division, since the difference cancels out of it. Together they take a third
of the time, for the same colours but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import kornia.augmentation as kornia
import torch
from kornia import enhance
from torch import Tensor

ColorTransform = Callable[[Tensor, Tensor], Tensor]
"""Pictures ``[n, 3, H, W]`` in 0…1 and a factor for each ``[n]``, to changed pictures."""
JitterParameters = Mapping[str, Any]
"""kornia's parameters and flags."""
NEUTRAL_FACTORS: Final = {"brightness_factor": 1, "contrast_factor": 1, "saturation_factor": 1, "hue_factor": 0}
"""What kornia draws, in the order of its numbers for them, and which value changes nothing."""
HUE_OFFSETS: Final = (5.0, 3.0, 1.0)
"""Sixths of the circle from the places of red, green and blue to where each is smallest before it rises."""


class ColorJitter(kornia.ColorJitter):  # type: ignore[misc]  # kornia has no types
    """kornia's ColorJitter, which is torchvision's."""

    def apply_transform(
        self, pictures: Tensor, params: JitterParameters, flags: JitterParameters, transform: object = None
    ) -> Tensor:
        """`pictures` ``[n, 3, H, W]``, changed by the factors drawn for each."""
        multiplied, contrasted = enhance.adjust_brightness_accumulative, enhance.adjust_contrast_with_mean_subtraction
        greyed = enhance.adjust_saturation_with_gray_subtraction
        return apply_in_order(pictures, params, (multiplied, contrasted, greyed, rotate_hue))


class ColorJiggle(kornia.ColorJiggle):  # type: ignore[misc]
    """kornia's ColorJiggle, which was its ColorJitter when the original programs were written."""

    def apply_transform(
        self, pictures: Tensor, params: JitterParameters, flags: JitterParameters, transform: object = None
    ) -> Tensor:
        """`pictures` ``[n, 3, H, W]``, changed by the factors drawn for each."""
        return apply_in_order(
            pictures, params, (adjust_brightness, enhance.adjust_contrast, adjust_saturation, rotate_hue)
        )


def apply_in_order(pictures: Tensor, drawn: JitterParameters, changes: tuple[ColorTransform, ...]) -> Tensor:
    """The pictures after the changes, in the order drawn; those that would change none of them are left out."""
    pictures, factors = pictures.clamp(0, 1), list(NEUTRAL_FACTORS.items())
    for number in drawn["order"].tolist():
        name, neutral = factors[number]
        if (drawn[name] != neutral).any():
            pictures = changes[number](pictures, drawn[name].to(pictures))
    return pictures.clamp(0, 1)


def adjust_brightness(pictures: Tensor, factors: Tensor) -> Tensor:
    """Adds a factor − 1 to each."""
    return enhance.adjust_brightness(pictures, factors - 1)


def adjust_saturation(pictures: Tensor, factors: Tensor) -> Tensor:
    """Multiplies the saturation of HSV, up to 1, by a factor for each."""
    most, least = pictures.amax(1, keepdim=True), pictures.amin(1, keepdim=True)
    limit = most / (most - least).clamp(min=torch.finfo(most.dtype).tiny)
    return most - torch.minimum(factors.view(-1, 1, 1, 1), limit) * (most - pictures)


def rotate_hue(pictures: Tensor, turns: Tensor) -> Tensor:
    """Pictures ``[n, 3, H, W]`` in 0…1 with hues further by ``[n]`` turns of the circle; grey stays grey."""
    result: Tensor = _Turned.apply(pictures, turns.view(-1, 1, 1, 1))  # type: ignore[no-untyped-call]
    return result


class _Turned(torch.autograd.Function):
    """Gradients go to the pictures alone."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, turns: Tensor) -> Tensor:
        most, least = pictures.amax(1, keepdim=True), pictures.amin(1, keepdim=True)
        span = most - least
        red, green, blue = pictures.chunk(3, 1)
        first, second = (red >= green) & (red >= blue), green >= blue
        rise = torch.where(first, green - blue, torch.where(second, blue - red, red - green))
        rise = rise / span.clamp(min=torch.finfo(span.dtype).tiny)
        largest = torch.where(first, 0.0, torch.where(second, 2.0, 4.0))
        places = torch.tensor(HUE_OFFSETS, device=pictures.device).view(1, 3, 1, 1)
        sixths = torch.remainder(largest + rise + 6 * turns + places, 6)
        below = torch.minimum(sixths, 4 - sixths).clamp_(0, 1)
        ctx.save_for_backward(first, second, rise, sixths, below)
        return most - span * below

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        first, second, rise, sixths, below = ctx.saved_tensors
        (grad,) = grads
        falling = (grad * below).sum(1, keepdim=True)
        moving = torch.where(sixths < 1, grad, torch.where((sixths > 3) & (sixths < 4), -grad, 0)).sum(1, keepdim=True)
        to_largest = grad.sum(1, keepdim=True) - falling + moving * rise
        to_smallest = falling - moving * rise
        # A hue rises with the channel after the largest one, and falls with the one before it; either is the smallest.
        after = torch.where(rise < 0, to_smallest, 0) - moving
        before = torch.where(rise < 0, 0, to_smallest) + moving
        red = torch.where(first, to_largest, torch.where(second, before, after))
        green = torch.where(first, after, torch.where(second, to_largest, before))
        blue = torch.where(first, before, torch.where(second, after, to_largest))
        return torch.cat([red, green, blue], 1), None

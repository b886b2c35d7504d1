"""Saturation and hue changed in red, green and blue are those of HSV."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import kornia.augmentation as kornia
import pytest
import torch
from torch import Tensor
from videojob_runner.engines.vqgan_clip.cutouts.color_jitter import (
    ColorJiggle,
    ColorJitter,
    adjust_saturation,
    rotate_hue,
)
from videojob_runner.torch_utils.random_streams import borrow_global_rng

CORNERS = torch.cartesian_prod(*[torch.tensor([0.0, 0.3, 1.0])] * 3)
"""Colours ``[27, 3]`` with all ways in which channels may be equal: greys, black and white among them."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 6) -> Tensor:
    return torch.rand(count, 3, 9, 8, generator=generator())


def of_colours(colours: Tensor) -> Tensor:
    """A picture ``[1, 3, n, 1]`` of ``[n, 3]``."""
    return colours.T[None, :, :, None]


def by_hsv(picture: Tensor, change: Callable[[float, float, float], tuple[float, float, float]]) -> Tensor:
    """The standard library's way there and back, for each pixel of ``[1, 3, H, W]``."""
    pixels = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*each))) for each in picture[0].flatten(1).T.tolist()]
    return torch.tensor(pixels).T.view_as(picture)


@pytest.mark.parametrize("picture", [pictures(1), of_colours(CORNERS)], ids=["random", "corners"])
class TestValues:
    @pytest.mark.parametrize("turns", [-0.8, -0.25, -0.01, 0.0, 0.01, 1 / 6, 0.4, 0.5])
    def test_a_turn_moves_the_hue_and_nothing_else(self, picture: Tensor, turns: float) -> None:
        expected = by_hsv(picture, lambda h, s, v: ((h + turns) % 1, s, v))
        torch.testing.assert_close(rotate_hue(picture, torch.tensor([turns])), expected, rtol=0, atol=2e-6)

    @pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.01, 3.0])
    def test_saturation_is_multiplied_and_ends_at_one(self, picture: Tensor, factor: float) -> None:
        expected = by_hsv(picture, lambda h, s, v: (h, min(1, s * factor), v))
        torch.testing.assert_close(adjust_saturation(picture, torch.tensor([factor])), expected, rtol=0, atol=2e-6)


def test_a_third_of_a_turn_makes_red_green_and_green_blue() -> None:
    red_green = of_colours(torch.tensor([[0.9, 0.2, 0.2], [0.1, 0.6, 0.1]]))
    expected = of_colours(torch.tensor([[0.2, 0.9, 0.2], [0.1, 0.1, 0.6]]))
    torch.testing.assert_close(rotate_hue(red_green, torch.tensor([1 / 3])), expected, rtol=0, atol=1e-6)


def test_each_picture_turns_by_its_own_angle() -> None:
    both = rotate_hue(pictures(2), torch.tensor([0.1, -0.3]))
    for at, turns in enumerate((0.1, -0.3)):
        torch.testing.assert_close(both[at : at + 1], rotate_hue(pictures(2)[at : at + 1], torch.tensor([turns])))


@pytest.mark.parametrize("change", [rotate_hue, adjust_saturation])
@pytest.mark.parametrize("factor", [-0.4, 0.07, 0.6, 1.3])
def test_gradients_are_those_of_differences(change: Callable[[Tensor, Tensor], Tensor], factor: float) -> None:
    if change is adjust_saturation:
        factor = abs(factor)
    picture = pictures(1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: change(x, torch.tensor([factor]).double()), picture, eps=1e-7)


def test_gradients_of_greys_are_finite() -> None:
    greys = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 3, 1).repeat(1, 3, 1, 1).requires_grad_()
    for change in (rotate_hue, adjust_saturation):
        (gradient,) = torch.autograd.grad(change(greys, torch.tensor([0.3])).square().sum(), greys)
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize(("ours", "theirs"), [(ColorJitter, kornia.ColorJitter), (ColorJiggle, kornia.ColorJiggle)])
@pytest.mark.parametrize("ranges", [(0.2, 0.3, 0.4, 0.3), (0.0, 0.0, 0.01, 0.01)])
def test_a_jitter_is_kornia_s_in_draws_values_and_gradients(
    ours: Callable[..., torch.nn.Module], theirs: Callable[..., torch.nn.Module], ranges: tuple[float, ...]
) -> None:
    for seed in range(8):  # the order of the changes is drawn too
        results = []
        for module in (ours, theirs):
            views = pictures().requires_grad_()
            with borrow_global_rng(generator(seed)):
                result = module(*ranges, p=0.7)(views)
            results.append((result.detach(), torch.autograd.grad(result.square().sum(), views)[0]))
        assert not torch.equal(results[0][0], pictures())
        torch.testing.assert_close(results[0][0], results[1][0], rtol=0, atol=5e-6)
        # Where two channels have become equal, a colour's gradient has two sides.
        gaps = results[0][0].sort(1).values.diff(dim=1).amin(1, keepdim=True)
        ours_there, theirs_there = (torch.where(gaps > 1e-6, gradient, 0) for _, gradient in results)
        assert float((gaps > 1e-6).float().mean()) > 0.8  # else clipped
        torch.testing.assert_close(ours_there, theirs_there, rtol=1e-4, atol=1e-4)

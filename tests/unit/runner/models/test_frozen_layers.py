"""Convolutions with fewer multiplications, and a norm's way back in bands: torch's numbers, about as exact."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn
from videojob_runner.models.kernels import winograd
from videojob_runner.models.kernels.frozen_layers import conv2d
from videojob_runner.models.kernels.group_norm_silu import group_norm_silu

from tests.unit.runner.models.test_forward_passes import drawn, kept, seeded, with_gradient

FORMS = [torch.contiguous_format, torch.channels_last]
form = pytest.mark.parametrize("form", FORMS, ids=["", "channels last"])


def error(found: Tensor, exact: Tensor) -> float:
    """Root of the mean square."""
    return float((found.double() - exact).square().mean().sqrt())


def in_double(make: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Result and gradient where hardly anything is rounded; `make` takes doubles."""
    return with_gradient(make, x.double())


class TestWinograd:
    @form
    @pytest.mark.parametrize("band", [1, 4000, 10**9], ids=["a band for each tile", "some bands", "one band"])
    @pytest.mark.parametrize("shape", [(1, 40, 12, 20), (2, 33, 4, 7), (1, 36, 24, 1)])
    def test_it_is_the_convolution_about_as_exact_as_the_direct_way(
        self, shape: tuple[int, ...], band: int, form: torch.memory_format
    ) -> None:
        x = drawn(*shape).contiguous(memory_format=form)
        weight, bias = drawn(35, shape[1], 3, 3, seed=3) / 20, drawn(35, seed=4)
        exact = nnf.conv2d(x.double(), weight.double(), bias.double(), padding=1)
        kernels = winograd.kernel_sums(weight)
        found = winograd.conv2d(x, kernels, bias, band=band)
        assert found.shape == exact.shape
        assert error(found, exact) < 4 * error(nnf.conv2d(x, weight, bias, padding=1), exact) < 1e-5
        assert torch.allclose(winograd.conv2d(x, kernels, None, band=band), found - bias[:, None, None], atol=1e-5)

    def test_it_is_chosen_for_large_convolutions_of_floats_on_a_cpu_and_for_no_others(self) -> None:
        large, weight = torch.empty(1, 128, 64, 128), torch.empty(128, 128, 3, 3)
        assert winograd.is_applicable(large, weight, padding=1)
        assert not winograd.is_applicable(large, weight, padding=0)
        assert not winograd.is_applicable(large, torch.empty(128, 128, 1, 1), padding=1)
        assert not winograd.is_applicable(large[:, :, :62], weight, padding=1), "no multiple of four rows"
        assert not winograd.is_applicable(large[:, :, :32], weight, padding=1), "as fast directly"
        assert not winograd.is_applicable(large.double(), weight.double(), padding=1)
        assert not winograd.is_applicable(large.to("meta"), weight.to("meta"), padding=1)

    @form
    def test_a_large_layer_goes_that_way_forward_and_back(self, form: torch.memory_format) -> None:
        layer = seeded(lambda: nn.Conv2d(96, 128, 3, padding=1))
        x = drawn(1, 96, 128, 96).contiguous(memory_format=form)
        ours, direct = with_gradient(lambda x: conv2d(x, layer), x), with_gradient(layer, x)
        exact = in_double(lambda x: nnf.conv2d(x, layer.weight.double(), layer.bias.double(), padding=1), x)
        for found, usual, true in zip(ours, direct, exact, strict=True):
            assert not torch.equal(found, usual)
            assert error(found, true) < 8 * error(usual, true) < 1e-5
        assert kept(lambda x: conv2d(x, layer), x, network=layer) == 0


class TestActivatedNorm:
    @form
    @pytest.mark.parametrize("shape", [(2, 32, 5, 7), (1, 64, 96, 90), (2, 96, 70, 64)], ids=["small", "large", "two"])
    def test_result_and_gradient_are_those_of_the_two_modules(
        self, shape: tuple[int, ...], form: torch.memory_format
    ) -> None:
        norm = seeded(lambda: nn.GroupNorm(32, shape[1], eps=1e-6))
        norm.weight.copy_(drawn(shape[1], seed=5))
        norm.bias.copy_(drawn(shape[1], seed=6))
        x = (drawn(*shape) * 2 + 3).contiguous(memory_format=form)  # a mean that is larger than the deviation
        ours = with_gradient(lambda x: group_norm_silu(x, norm, kind=torch.float32), x)
        theirs = with_gradient(lambda x: nnf.silu(norm(x)), x)
        scale, shift = norm.weight.double(), norm.bias.double()
        exact = in_double(lambda x: nnf.silu(nnf.group_norm(x, 32, scale, shift, 1e-6)), x)
        for found, usual, true in zip(ours, theirs, exact, strict=True):
            assert found.stride() == usual.stride()
            assert error(found, true) < 3 * error(usual, true) < 1e-5

    def test_its_input_is_all_it_keeps(self) -> None:
        norm, x = seeded(lambda: nn.GroupNorm(32, 64)), drawn(1, 64, 40, 40)
        statistics = 2 * 32
        held = kept(lambda x: group_norm_silu(x, norm, kind=torch.float32), x, network=norm)
        assert held == 4 * (x.numel() + statistics)

    @form
    def test_a_shorter_type_loses_what_two_roundings_may_lose(self, form: torch.memory_format) -> None:
        norm, x = seeded(lambda: nn.GroupNorm(32, 64)), drawn(1, 64, 96, 90).bfloat16().contiguous(memory_format=form)
        short = with_gradient(lambda x: group_norm_silu(x, norm, kind=torch.bfloat16), x)
        exact = in_double(lambda x: nnf.silu(nnf.group_norm(x, 32, eps=1e-5)), x)
        for found, true in zip(short, exact, strict=True):
            assert found.dtype == torch.bfloat16
            assert error(found, true) < 2 * error(true.bfloat16(), true)

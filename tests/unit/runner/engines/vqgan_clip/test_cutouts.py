"""Cutouts of every method: sizes, ranges, statistics, repeatability, gradients."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from videojob_api.pipelines.vqgan_clip import CutMethod
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions, Cutouts, draw_crop_boxes, pool
from videojob_runner.torch_utils.random_streams import RandomStreams, borrow_global_rng

METHODS: tuple[CutMethod, ...] = get_args(CutMethod)


def picture(*, width: int, height: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(3))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestCropBoxes:
    @given(
        width=st.integers(1, 300),
        height=st.integers(1, 300),
        target=st.integers(1, 224),
        power=st.floats(0.1, 5),
        seed=st.integers(0, 1000),
    )
    def test_every_crop_is_a_square_within_the_picture(
        self, width: int, height: int, target: int, power: float, seed: int
    ) -> None:
        options = CutoutOptions(count=20, power=power)
        for x, y, side in draw_crop_boxes(
            options, size=(width, height), target=target, generator=generator(seed)
        ).tolist():
            assert 0 <= x <= width - side
            assert 0 <= y <= height - side
            assert min(width, height, target) <= side <= min(width, height)

    def test_a_picture_smaller_than_clip_sees_is_only_slid_along(self) -> None:
        boxes = draw_crop_boxes(CutoutOptions(count=64), size=(200, 100), target=224, generator=generator())
        assert set(boxes[:, 2].tolist()) == {100}
        assert set(boxes[:, 1].tolist()) == {0}
        assert len(set(boxes[:, 0].tolist())) > 30

    def test_a_higher_power_makes_small_crops_likelier(self) -> None:
        means = [
            draw_crop_boxes(CutoutOptions(count=256, power=power), size=(512, 512), target=64, generator=generator())[
                :, 2
            ]
            .float()
            .mean()
            for power in (0.3, 1, 3)
        ]
        assert all(after < before - 50 for before, after in pairwise(means))


class TestCutouts:
    @pytest.mark.parametrize("size", [(64, 64), (32, 32), (16, 16), (48, 32), (100, 80)])
    @pytest.mark.parametrize("upstream", [False, True])
    @pytest.mark.parametrize("method", METHODS)
    def test_all_cutouts_have_the_side_that_clip_sees(
        self, method: CutMethod, size: tuple[int, int], upstream: bool
    ) -> None:
        options = CutoutOptions(count=5, method=method, upstream=upstream)
        views = Cutouts(options, target=32)(picture(width=size[0], height=size[1]), RandomStreams.from_seed(1))
        assert views.shape == (5, 3, 32, 32)

    def test_a_picture_of_exactly_that_side_is_its_own_only_crop(self) -> None:
        whole = picture(width=32, height=32)
        views = Cutouts(CutoutOptions(count=3, method="original"), target=32)(whole, RandomStreams.from_seed(1))
        assert torch.equal(views, whole.expand(3, -1, -1, -1))

    def test_a_small_square_is_resampled_like_any_crop(self) -> None:
        small = picture(width=16, height=16)
        cutouts = Cutouts(CutoutOptions(count=2, method="original"), target=32)
        boxes = torch.tensor([[0, 0, 16]])
        expected = cutouts.resampler.crop(small, boxes).clamp(0, 1)
        assert torch.allclose(cutouts(small, RandomStreams.from_seed(1))[1], expected[0])

    def test_original_cutouts_stay_within_zero_and_one(self) -> None:
        checks = (torch.arange(64)[:, None] // 8 + torch.arange(64) // 8) % 2
        views = Cutouts(CutoutOptions(count=8, method="original"), target=16)(
            checks.float().expand(1, 3, 64, 64), RandomStreams.from_seed(1)
        )
        assert float(views.min()) == 0
        assert float(views.max()) == 1

    @pytest.mark.parametrize("upstream", [False, True])
    @pytest.mark.parametrize("method", METHODS)
    def test_the_same_seed_gives_the_same_views_and_each_call_other_ones(
        self, method: CutMethod, upstream: bool
    ) -> None:
        options = CutoutOptions(count=4, method=method, upstream=upstream)
        whole, cutouts = picture(width=48, height=40), Cutouts(options, target=32)
        first, again = RandomStreams.from_seed(5), RandomStreams.from_seed(5)
        one = cutouts(whole, first)
        assert torch.equal(one, cutouts(whole, again))
        assert not torch.equal(one, cutouts(whole, first))
        assert not torch.equal(one, cutouts(whole, RandomStreams.from_seed(6)))

    @pytest.mark.parametrize("method", METHODS)
    def test_gradients_reach_the_picture(self, method: CutMethod) -> None:
        whole = picture(width=40, height=40).requires_grad_()
        options = CutoutOptions(count=4, method=method)
        torch.autograd.backward(Cutouts(options, target=32)(whole, RandomStreams.from_seed(1)).square().sum())
        assert whole.grad is not None
        assert float((whole.grad != 0).float().mean()) > 0.8

    def test_sg3_cuts_the_same_crops_and_averages_them(self) -> None:
        whole = picture(width=90, height=70)
        views = Cutouts(CutoutOptions(count=6, method="sg3"), target=32)(whole, RandomStreams.from_seed(4))
        boxes = draw_crop_boxes(
            CutoutOptions(count=6), size=(90, 70), target=32, generator=RandomStreams.from_seed(4).host
        )
        for (x, y, side), view in zip(boxes.tolist(), views, strict=True):
            crop = whole[..., y : y + side, x : x + side]
            assert torch.allclose(view, torch.nn.functional.adaptive_avg_pool2d(crop, 32)[0], atol=1e-6)

    def test_pooling_is_half_the_mean_and_half_the_largest(self) -> None:
        """Worked by hand: the four blocks of a 4×4 ramp."""
        ramp = torch.arange(16.0).view(1, 1, 4, 4)
        assert pool(ramp, 2)[0, 0].tolist() == [[(2.5 + 5) / 2, (4.5 + 7) / 2], [(10.5 + 13) / 2, (12.5 + 15) / 2]]

    @pytest.mark.parametrize("method", ["latest", "updatedpooling"])
    def test_pooling_takes_no_crops_so_all_copies_are_alike_before_augmentation(self, method: CutMethod) -> None:
        whole, before = picture(width=90, height=40), generator(4)
        views = Cutouts(CutoutOptions(count=3, method=method, power=3), target=32).crop(whole, before)
        assert torch.equal(views, pool(whole, 32).expand(3, -1, -1, -1))
        assert torch.equal(before.get_state(), generator(4).get_state())


class TestUpstreamCrops:
    def test_the_numbers_are_those_of_torch_s_own_state_in_the_original_s_order(self) -> None:
        """§2.9.1: for each cutout one uniform, then x, then y."""
        options = CutoutOptions(count=5, power=0.7, upstream=True)
        boxes = draw_crop_boxes(options, size=(100, 60), target=32, generator=RandomStreams.from_seed_upstream(11).host)
        torch.manual_seed(11)
        for x, y, side in boxes.tolist():
            assert side == int(torch.rand([]) ** 0.7 * (60 - 32) + 32)
            assert x == torch.randint(0, 100 - side + 1, ())
            assert y == torch.randint(0, 60 - side + 1, ())

    def test_on_the_cpu_both_streams_of_the_original_are_one(self) -> None:
        randomness = RandomStreams.from_seed_upstream(3)
        drawn = [torch.rand((), generator=stream) for stream in (randomness.host, randomness.noise)]
        torch.manual_seed(3)
        assert drawn == [torch.rand(()), torch.rand(())]


class TestRandomness:
    def test_the_two_streams_of_a_seed_are_not_the_same(self) -> None:
        randomness = RandomStreams.from_seed(0)
        assert not torch.equal(torch.rand(8, generator=randomness.host), torch.rand(8, generator=randomness.noise))

    def test_branches_of_a_seed_differ_from_it_and_from_each_other(self) -> None:
        branches = [(), (0,), (1,), (0, 1)]
        drawn = {float(torch.rand((), generator=RandomStreams.from_seed(5, branch=branch).host)) for branch in branches}
        assert len(drawn) == 4

    def test_a_state_taken_up_again_draws_the_same(self) -> None:
        randomness, other = RandomStreams.from_seed(0), RandomStreams.from_seed(1)
        torch.rand(5, generator=randomness.host)
        state = randomness.state_dict()
        drawn = [torch.rand(3, generator=stream) for stream in (randomness.host, randomness.noise)]
        other.load_state_dict(state)
        again = [torch.rand(3, generator=stream) for stream in (other.host, other.noise)]
        assert all(torch.equal(a, b) for a, b in zip(drawn, again, strict=True))

    @settings(max_examples=20)
    @given(st.integers(0, 9_007_199_254_740_991))
    def test_every_seed_of_the_resource_is_taken(self, seed: int) -> None:
        assert (
            RandomStreams.from_seed(seed).host.initial_seed() != RandomStreams.from_seed(seed + 1).host.initial_seed()
        )

    def test_a_lent_generator_moves_on_and_the_global_one_does_not(self) -> None:
        torch.manual_seed(9)
        before, lent, alone = torch.get_rng_state(), generator(4), generator(4)
        with borrow_global_rng(lent):
            borrowed = torch.rand(3)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(borrowed, torch.rand(3, generator=alone))
        assert torch.equal(lent.get_state(), alone.get_state())

    def test_the_global_one_is_given_back_even_after_an_error(self) -> None:
        before = torch.get_rng_state()
        with pytest.raises(RuntimeError), borrow_global_rng(generator(4)):
            raise RuntimeError
        assert torch.equal(torch.get_rng_state(), before)

"""Crops and their augmentation: sizes, ranges, statistics, repeatability, gradients."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kornia.enhance import sharpness
from pydantic import ValidationError
from torch import Tensor
from videojob_runner.engines.vqgan_clip.augment import Augmentation, Augmenter, geometry, view_matrices
from videojob_runner.engines.vqgan_clip.cutouts import CutoutOptions, Cutouts, crop_boxes
from videojob_runner.engines.vqgan_clip.randomness import Randomness, global_draws_from

NOTHING = Augmentation(
    flip_chance=0, turn_degrees=0, shift=(0, 0), perspective=0, sharpness=0, jitter=0, noise=0
)  # leaves every step out


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
        for x, y, side in crop_boxes(options, size=(width, height), target=target, generator=generator(seed)).tolist():
            assert 0 <= x <= width - side
            assert 0 <= y <= height - side
            assert min(width, height, target) <= side <= min(width, height)

    def test_a_picture_smaller_than_clip_sees_is_only_slid_along(self) -> None:
        boxes = crop_boxes(CutoutOptions(count=64), size=(200, 100), target=224, generator=generator())
        assert set(boxes[:, 2].tolist()) == {100}
        assert set(boxes[:, 1].tolist()) == {0}
        assert len(set(boxes[:, 0].tolist())) > 30

    def test_a_higher_power_makes_small_crops_likelier(self) -> None:
        means = [
            crop_boxes(CutoutOptions(count=256, power=power), size=(512, 512), target=64, generator=generator())[:, 2]
            .float()
            .mean()
            for power in (0.3, 1, 3)
        ]
        assert all(after < before - 50 for before, after in pairwise(means))


class TestCutouts:
    @pytest.mark.parametrize("size", [(64, 64), (32, 32), (16, 16), (48, 32), (100, 80)])
    @pytest.mark.parametrize("method", ["original", "kornia", "nvg"])
    def test_all_cutouts_have_the_side_that_clip_sees(self, method: str, size: tuple[int, int]) -> None:
        options = CutoutOptions(count=5, method=method)  # type: ignore[arg-type]
        views = Cutouts(options, target=32)(picture(width=size[0], height=size[1]), Randomness.of(1))
        assert views.shape == (5, 3, 32, 32)

    def test_a_picture_of_exactly_that_side_is_its_own_only_crop(self) -> None:
        whole = picture(width=32, height=32)
        views = Cutouts(CutoutOptions(count=3, method="original"), target=32)(whole, Randomness.of(1))
        assert torch.equal(views, whole.expand(3, -1, -1, -1))

    def test_a_small_square_is_resampled_like_any_crop(self) -> None:
        small = picture(width=16, height=16)
        cutouts = Cutouts(CutoutOptions(count=2, method="original"), target=32)
        boxes = torch.tensor([[0, 0, 16]])
        expected = cutouts.resampler.crops(small, boxes).clamp(0, 1)
        assert torch.allclose(cutouts(small, Randomness.of(1))[1], expected[0])

    def test_original_cutouts_stay_within_zero_and_one(self) -> None:
        checks = (torch.arange(64)[:, None] // 8 + torch.arange(64) // 8) % 2
        views = Cutouts(CutoutOptions(count=8, method="original"), target=16)(
            checks.float().expand(1, 3, 64, 64), Randomness.of(1)
        )
        assert float(views.min()) == 0
        assert float(views.max()) == 1

    def test_the_same_seed_gives_the_same_views_and_each_call_other_ones(self) -> None:
        whole, cutouts = picture(width=48, height=40), Cutouts(CutoutOptions(count=4), target=32)
        first, again = Randomness.of(5), Randomness.of(5)
        one = cutouts(whole, first)
        assert torch.equal(one, cutouts(whole, again))
        assert not torch.equal(one, cutouts(whole, first))
        assert not torch.equal(one, cutouts(whole, Randomness.of(6)))

    @pytest.mark.parametrize("method", ["original", "kornia", "nvg"])
    def test_gradients_reach_the_picture(self, method: str) -> None:
        whole = picture(width=40, height=40).requires_grad_()
        options = CutoutOptions(count=4, method=method)  # type: ignore[arg-type]
        torch.autograd.backward(Cutouts(options, target=32)(whole, Randomness.of(1)).square().sum())
        assert whole.grad is not None
        assert float((whole.grad != 0).float().mean()) > 0.8


class TestAugmentation:
    def views(self, options: Augmentation, *, count: int = 200, side: int = 16) -> Tensor:
        """Augmented copies of one picture with a bright row and a bright column."""
        cross = torch.zeros(1, 3, side, side)
        cross[..., 4, :] = 0.5
        cross[..., :, 5] = 1.0
        return Augmenter(options)(cross.expand(count, -1, -1, -1), Randomness.of(2))

    def only(self, **fields: object) -> Augmentation:
        return NOTHING.model_copy(update=fields)

    def test_with_every_step_left_out_nothing_changes(self) -> None:
        views = self.views(NOTHING, count=2)
        assert torch.allclose(views[0], self.views(NOTHING, count=1)[0])
        assert float(views[0, 0, 4, 0]) == pytest.approx(0.5)
        assert float(views[0, 0, 3, 6]) == pytest.approx(0, abs=1e-6)

    def test_a_mirror_turns_left_and_right_and_nothing_else(self) -> None:
        views = self.views(self.only(flip_chance=1), count=3)
        assert torch.allclose(views[:, :, :, 10], torch.ones(3, 3, 16), atol=1e-4)
        assert torch.allclose(views[:, :, 4, 0], torch.full((3, 3), 0.5), atol=1e-4)

    def test_half_of_the_views_are_mirrored(self) -> None:
        views = self.views(self.only(flip_chance=0.5), count=400)
        assert float((views[:, 0, 0, 10] > 0.5).float().mean()) == pytest.approx(0.5, abs=0.08)

    @pytest.mark.parametrize(("shift", "moved"), [((0.0, 0.25), "down"), ((0.25, 0.0), "across")])
    def test_shifts_keep_to_their_axis(self, shift: tuple[float, float], moved: str) -> None:
        views = self.views(self.only(shift=shift, affine_chance=1))
        column_stays = torch.isclose(views[:, 0, 12, 5], torch.tensor(1.0), atol=1e-3).float().mean()
        row_stays = torch.isclose(views[:, 0, 4, 14], torch.tensor(0.5), atol=1e-3).float().mean()
        assert (float(column_stays) == 1) == (moved == "down")
        assert (float(row_stays) == 1) == (moved == "across")

    def test_a_turn_keeps_the_centre_and_moves_the_corners(self) -> None:
        matrices = self.matrices(self.only(turn_degrees=30, affine_chance=1), side=17)
        centre, corner = (matrices @ torch.tensor([at, at, 1.0]) for at in (8.0, 0.0))
        assert torch.allclose(centre[:, :2], torch.full((500, 2), 8.0), atol=1e-4)
        angles = torch.rad2deg(torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]))
        assert float(angles.abs().max()) <= 30.01
        assert float(angles.std()) == pytest.approx(60 / 12**0.5, abs=1.5)
        assert float((corner[:, :2] - 8).norm(dim=1).std()) < 1e-3

    def test_perspective_moves_corners_inward_by_at_most_its_part(self) -> None:
        matrices = self.matrices(self.only(perspective=0.2, perspective_chance=1), side=101)
        moved = matrices @ torch.tensor([0.0, 0.0, 1.0])
        x, y = moved[:, 0] / moved[:, 2], moved[:, 1] / moved[:, 2]
        assert min(float(x.min()), float(y.min())) >= -1e-3
        assert max(float(x.max()), float(y.max())) <= 0.2 * 101 / 2 + 1e-3
        assert float(x.mean()) == pytest.approx(0.2 * 101 / 4, abs=0.6)

    def test_one_matrix_does_what_the_steps_do_one_after_the_other(self) -> None:
        options = self.only(flip_chance=1, turn_degrees=30, affine_chance=1, perspective=0.3, perspective_chance=1)
        together = self.matrices(options, side=21)
        with global_draws_from(generator()):
            mirror, turn, squeeze = (view_matrices([step], torch.zeros(500, 3, 21, 21)) for step in geometry(options))
        point = torch.tensor([3.0, 5.0, 1.0])
        mirrored = mirror @ point
        assert torch.allclose(mirrored, torch.tensor([17.0, 5.0, 1.0]).expand(500, 3), atol=1e-4)
        expected = torch.einsum("nij,nj->ni", squeeze, torch.einsum("nij,nj->ni", turn, mirrored))
        moved = together @ point
        assert torch.allclose(moved[:, :2] / moved[:, 2:], expected[:, :2] / expected[:, 2:], atol=1e-3)

    def matrices(self, options: Augmentation, *, side: int) -> Tensor:
        with global_draws_from(generator()):
            return view_matrices(geometry(options), torch.zeros(500, 3, side, side))

    def test_nothing_darkens_at_the_borders(self) -> None:
        strong = self.only(turn_degrees=90, affine_chance=1, shift=(0.3, 0.3), perspective=0.5, perspective_chance=1)
        views = Augmenter(strong)(torch.full((50, 3, 16, 16), 0.7), Randomness.of(1))
        assert torch.allclose(views, torch.full_like(views, 0.7), atol=1e-5)

    def test_the_deviation_of_the_noise_differs_from_view_to_view_up_to_its_bound(self) -> None:
        flat = torch.full((300, 3, 16, 16), 0.5)
        deviations = (Augmenter(self.only(noise=0.1))(flat, Randomness.of(1)) - 0.5).std((1, 2, 3))
        assert float(deviations.max()) < 0.105
        assert float(deviations.mean()) == pytest.approx(0.05, abs=0.006)

    def test_colours_move_a_little_and_a_gray_stays_gray(self) -> None:
        options = self.only(jitter=0.05, jitter_chance=1)
        red, gray = torch.tensor([0.8, 0.2, 0.2]), torch.tensor([0.5, 0.5, 0.5])
        for colour, changes in ((red, True), (gray, False)):
            views = Augmenter(options)(colour.view(1, 3, 1, 1).expand(20, 3, 8, 8), Randomness.of(1))
            distance = (views - colour.view(1, 3, 1, 1)).abs().amax((1, 2, 3))
            assert bool((distance > 1e-3).any()) == changes
            assert float(distance.max()) < 0.2

    @pytest.mark.parametrize(("factor", "centre", "neighbour"), [(0, 0.3846, 0.0769), (0.3, 0.5692, 0.0538), (1, 1, 0)])
    def test_sharpness_blurs_an_impulse_as_the_specification_says(
        self, factor: float, centre: float, neighbour: float
    ) -> None:
        """§11.7, of the kornia that is installed."""
        impulse = torch.zeros(1, 1, 5, 5)
        impulse[..., 2, 2] = 1
        blurred = sharpness(impulse, float(factor))[0, 0]
        assert float(blurred[2, 2]) == pytest.approx(centre, abs=1e-4)
        assert float(blurred[1, 1]) == pytest.approx(neighbour, abs=1e-4)

    def test_orders_differ_only_in_where_colours_come(self) -> None:
        views = picture(width=16, height=16).expand(4, -1, -1, -1)
        for options, equal in ((self.only(flip_chance=1), True), (Augmentation(), False)):
            orders = [Augmenter(options, order=order)(views, Randomness.of(1)) for order in ("kornia", "nvg")]
            assert torch.allclose(orders[0], orders[1]) == equal

    @pytest.mark.parametrize("wrong", [{"flipChance": 1.5}, {"noise": -1}, {"turn": 3}, {"shift": [0.1]}])
    def test_a_pack_cannot_ask_for_what_does_not_exist(self, wrong: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            Augmentation.model_validate(wrong)


class TestRandomness:
    def test_the_two_streams_of_a_seed_are_not_the_same(self) -> None:
        randomness = Randomness.of(0)
        assert not torch.equal(torch.rand(8, generator=randomness.host), torch.rand(8, generator=randomness.noise))

    def test_a_state_taken_up_again_draws_the_same(self) -> None:
        randomness, other = Randomness.of(0), Randomness.of(1)
        torch.rand(5, generator=randomness.host)
        state = randomness.state()
        drawn = [torch.rand(3, generator=stream) for stream in (randomness.host, randomness.noise)]
        other.restore(state)
        again = [torch.rand(3, generator=stream) for stream in (other.host, other.noise)]
        assert all(torch.equal(a, b) for a, b in zip(drawn, again, strict=True))

    @settings(max_examples=20)
    @given(st.integers(0, 9_007_199_254_740_991))
    def test_every_seed_of_the_resource_is_taken(self, seed: int) -> None:
        assert Randomness.of(seed).host.initial_seed() != Randomness.of(seed + 1).host.initial_seed()

    def test_a_lent_generator_moves_on_and_the_global_one_does_not(self) -> None:
        torch.manual_seed(9)
        before, lent, alone = torch.get_rng_state(), generator(4), generator(4)
        with global_draws_from(lent):
            borrowed = torch.rand(3)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(borrowed, torch.rand(3, generator=alone))
        assert torch.equal(lent.get_state(), alone.get_state())

    def test_the_global_one_is_given_back_even_after_an_error(self) -> None:
        before = torch.get_rng_state()
        with pytest.raises(RuntimeError), global_draws_from(generator(4)):
            raise RuntimeError
        assert torch.equal(torch.get_rng_state(), before)

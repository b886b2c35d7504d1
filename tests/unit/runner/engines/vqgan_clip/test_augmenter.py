"""What augmentation does to views, mended and as the original programs have it (specification vqgan-clip §2.9.4)."""

from __future__ import annotations

import kornia.augmentation as kornia
import pytest
import torch
from kornia.enhance import sharpness
from pydantic import ValidationError
from torch import Tensor
from videojob_api.pipelines.vqgan_clip import Augment
from videojob_runner.engines.vqgan_clip.cutouts.augmenter import Augmenter
from videojob_runner.engines.vqgan_clip.cutouts.geometry import ComposedWarp, view_matrices, warp_upstream
from videojob_runner.engines.vqgan_clip.cutouts.presets import (
    AUGMENTS,
    AugmentationOptions,
    kornia_steps,
    latest_steps,
    nvg_steps,
    pooling_steps,
)
from videojob_runner.engines.vqgan_clip.cutouts.steps import (
    AugmentationStep,
    GaussianNoise,
    KorniaStep,
    PerViewKorniaStep,
    StepFactory,
    compose_warps,
)
from videojob_runner.torch_utils.random_streams import RandomStreams, borrow_global_rng

NOTHING = AugmentationOptions(
    flip_chance=0, turn_degrees=0, shift=(0, 0), perspective=0, sharpness=0, jitter=0, noise=0
)  # leaves every step out


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noisy_picture(*, count: int, side: int = 16) -> Tensor:
    return torch.rand(1, 3, side, side, generator=generator(3)).expand(count, -1, -1, -1)


def augmented(views: Tensor, options: AugmentationOptions, *, upstream: bool = False, seed: int = 2) -> Tensor:
    steps = kornia_steps(options, upstream=upstream)
    return Augmenter(steps, noise=options.noise)(views, RandomStreams.from_seed(seed))


def bends(options: AugmentationOptions) -> ComposedWarp:
    """The composed geometry of the `kornia` recipe."""
    [step] = kornia_steps(options, upstream=False)
    assert isinstance(step, ComposedWarp)
    return step


def apply(steps: list[AugmentationStep], views: Tensor, *, seed: int = 1) -> Tensor:
    randomness = RandomStreams.from_seed(seed)
    for step in steps:
        views = step(views, randomness)
    return views


class TestAugmentation:
    def views(self, options: AugmentationOptions, *, count: int = 200, side: int = 16) -> Tensor:
        """Augmented copies of one picture with a bright row and a bright column."""
        cross = torch.zeros(1, 3, side, side)
        cross[..., 4, :] = 0.5
        cross[..., :, 5] = 1.0
        return augmented(cross.expand(count, -1, -1, -1), options)

    def only(self, **fields: object) -> AugmentationOptions:
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
        with borrow_global_rng(generator()):
            steps = bends(options).modules
            mirror, turn, squeeze = (view_matrices([step], torch.zeros(500, 3, 21, 21)) for step in steps)
        point = torch.tensor([3.0, 5.0, 1.0])
        mirrored = mirror @ point
        assert torch.allclose(mirrored, torch.tensor([17.0, 5.0, 1.0]).expand(500, 3), atol=1e-4)
        expected = torch.einsum("nij,nj->ni", squeeze, torch.einsum("nij,nj->ni", turn, mirrored))
        moved = together @ point
        assert torch.allclose(moved[:, :2] / moved[:, 2:], expected[:, :2] / expected[:, 2:], atol=1e-3)

    def matrices(self, options: AugmentationOptions, *, side: int) -> Tensor:
        with borrow_global_rng(generator()):
            return view_matrices(bends(options).modules, torch.zeros(500, 3, side, side))

    def test_nothing_darkens_at_the_borders(self) -> None:
        strong = self.only(turn_degrees=90, affine_chance=1, shift=(0.3, 0.3), perspective=0.5, perspective_chance=1)
        views = augmented(torch.full((50, 3, 16, 16), 0.7), strong)
        assert torch.allclose(views, torch.full_like(views, 0.7), atol=1e-5)

    def test_the_deviation_of_the_noise_differs_from_view_to_view_up_to_its_bound(self) -> None:
        flat = torch.full((300, 3, 16, 16), 0.5)
        deviations = (augmented(flat, self.only(noise=0.1)) - 0.5).std((1, 2, 3))
        assert float(deviations.max()) < 0.105
        assert float(deviations.mean()) == pytest.approx(0.05, abs=0.006)

    def test_colours_move_a_little_and_a_gray_stays_gray(self) -> None:
        options = self.only(jitter=0.05, jitter_chance=1)
        red, gray = torch.tensor([0.8, 0.2, 0.2]), torch.tensor([0.5, 0.5, 0.5])
        for colour, changes in ((red, True), (gray, False)):
            views = augmented(colour.view(1, 3, 1, 1).expand(20, 3, 8, 8), options)
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
        views = noisy_picture(count=4)
        for options, equal in ((self.only(flip_chance=1), True), (AugmentationOptions(), False)):
            orders = [apply(recipe(options, upstream=False), views) for recipe in (kornia_steps, nvg_steps)]
            assert torch.allclose(orders[0], orders[1]) == equal

    @pytest.mark.parametrize("wrong", [{"flipChance": 1.5}, {"noise": -1}, {"turn": 3}, {"shift": [0.1]}])
    def test_a_pack_cannot_ask_for_what_does_not_exist(self, wrong: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            AugmentationOptions.model_validate(wrong)


class TestGoldenVectors:
    def test_perspective_without_distortion_scales_a_ramp_and_halves_its_end(self) -> None:
        """§2.9.4: kornia 0.5.11 on an 8-wide ramp."""
        ramp = (torch.arange(8.0) / 7).expand(1, 3, 8, 8)
        warped = warp_upstream(ramp, torch.eye(3)[None])
        expected = [0, 0.0918, 0.2551, 0.4184, 0.5816, 0.7449, 0.9082, 0.5]
        assert warped[0, 0, 4].tolist() == pytest.approx(expected, abs=1e-4)

    def test_erasing_strikes_most_batches_and_all_views_of_a_batch_alike(self) -> None:
        """§11.7: 71 % of 400 batches, area 0.117…0.398 of the sample."""
        [step] = latest_steps(["Er"], side=32, upstream=False)
        randomness, areas = RandomStreams.from_seed(0), []
        for _ in range(400):
            erased = step(torch.ones(3, 3, 32, 32), randomness) == 0
            assert torch.equal(erased[0], erased[2])
            areas.append(float(erased[0].float().mean()))
        struck = [area for area in areas if area]
        assert len(struck) / 400 == pytest.approx(0.7, abs=0.07)
        assert 0.09 < min(struck) < 0.15
        assert 0.3 < max(struck) < 0.42


class TestUpstream:
    """`compat: upstream` keeps what the original programs really do; the mended steps stand beside it."""

    def test_the_perspective_of_a_view_that_is_not_drawn_is_left_alone(self) -> None:
        step = StepFactory(upstream=True).perspective(0.5, chance=0.5)
        views = noisy_picture(count=200)
        [only] = compose_warps([step])
        untouched = (only(views, RandomStreams.from_seed(1)) == views).all(3).all(2).all(1)
        assert float(untouched.float().mean()) == pytest.approx(0.5, abs=0.1)

    def test_the_perspective_moves_corners_as_ours_does(self) -> None:
        """The same matrices; only the sampling differs."""
        module = kornia.RandomPerspective(0.3, p=1.0)
        with borrow_global_rng(generator()):
            matrices = view_matrices([module], torch.zeros(8, 3, 65, 65))
        smooth = (torch.linspace(0, 1, 65)[:, None] * torch.linspace(0, 1, 65)).expand(8, 3, 65, 65)
        with borrow_global_rng(generator()):
            ours = ComposedWarp((module,))(smooth, RandomStreams(generator(), generator()))
        inside = slice(16, 49)
        difference = (warp_upstream(smooth, matrices) - ours)[..., inside, inside].abs()
        assert float(difference.max()) < 0.02

    def test_the_original_s_brightness_is_added_and_ours_is_multiplied(self) -> None:
        dark = torch.full((100, 3, 8, 8), 0.04)
        changed = [
            apply([StepFactory(upstream).jitter(chance=1.0, brightness=0.1)], dark)[:, 0, 0, 0]
            for upstream in (False, True)
        ]
        assert float((changed[0] - 0.04).abs().max()) <= 0.0041
        assert float((changed[1] - 0.04).abs().max()) > 0.05

    def test_affine_views_of_the_command_line_are_black_outside_and_ours_are_not(self) -> None:
        white = torch.ones(50, 3, 16, 16)
        ours, theirs = (apply(latest_steps(["Af"], side=16, upstream=upstream), white) for upstream in (False, True))
        assert torch.allclose(ours, white, atol=1e-5)
        assert float(theirs[:, :, 0, 0].mean()) < 0.8


class TestCodes:
    """The augmentations of the command line, by their codes."""

    views = noisy_picture(count=24, side=32)

    @pytest.mark.parametrize("upstream", [False, True])
    @pytest.mark.parametrize("code", [code for code in AUGMENTS if code != "Cr"])
    def test_each_code_changes_some_views_and_keeps_their_shape(self, code: Augment, upstream: bool) -> None:
        steps = latest_steps([code], side=32, upstream=upstream)
        randomness, changed = RandomStreams.from_seed(3), []
        for _ in range(6):  # some act on all views or none
            views = self.views
            for step in steps:
                views = step(views, randomness)
            assert views.shape == self.views.shape
            changed.append((views - self.views).abs().amax((1, 2, 3)) > 1e-3)
        assert 0.2 < float(torch.stack(changed).float().mean()) < 1

    def test_a_crop_to_the_side_that_views_have_changes_nothing(self) -> None:
        assert latest_steps(["Cr"], side=32, upstream=True) == []

    def test_no_codes_leave_only_the_noise(self) -> None:
        assert latest_steps([], side=32, upstream=False) == []

    def test_codes_act_in_their_order(self) -> None:
        recipes = (
            latest_steps(["Er", "Sh"], side=32, upstream=False),
            latest_steps(["Sh", "Er"], side=32, upstream=False),
        )
        first, second = (apply(recipe, self.views) for recipe in recipes)
        assert not torch.equal(first, second)

    def test_neighbouring_geometry_is_one_warp_and_colours_between_keep_it_apart(self) -> None:
        def kinds(codes: list[Augment]) -> list[str]:
            return [type(step).__name__ for step in latest_steps(codes, side=32, upstream=False)]

        assert kinds(["Af", "Pe", "Ro", "Ji"]) == ["ComposedWarp", "PerViewKorniaStep"]
        assert kinds(["Af", "Ji", "Pe"]) == ["ComposedWarp", "PerViewKorniaStep", "ComposedWarp"]

    @pytest.mark.parametrize("upstream", [True, False])
    def test_colours_view_by_view_are_those_of_the_whole_batch(self, upstream: bool) -> None:
        workshop, views = StepFactory(upstream), self.views.clone().requires_grad_()
        jitter = workshop.jitter(chance=0.7, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
        for step in (jitter, workshop.sharpness(0.3, chance=0.4)):
            assert isinstance(step, PerViewKorniaStep)
            own, batch = (one(views, RandomStreams.from_seed(4)) for one in (step, KorniaStep(step.module)))
            assert 0 < float((own != views).any(dim=(1, 2, 3)).float().mean()) < 1
            torch.testing.assert_close(own, batch, rtol=0, atol=1e-6)
            gradients = [torch.autograd.grad(one.square().sum(), views)[0] for one in (own, batch)]
            torch.testing.assert_close(*gradients, rtol=0, atol=1e-5)

    def test_grain_is_as_strong_as_its_deviation_on_its_share_of_the_views(self) -> None:
        grain = (
            GaussianNoise(deviation=1.0, chance=0.5)(torch.full((400, 3, 16, 16), 0.5), RandomStreams.from_seed(1))
            - 0.5
        )
        deviations = grain.std((1, 2, 3))
        assert float((deviations > 0).float().mean()) == pytest.approx(0.5, abs=0.08)
        assert float(deviations[deviations > 0].mean()) == pytest.approx(1, abs=0.02)

    def test_grain_draws_from_the_run_s_own_streams(self) -> None:
        torch.manual_seed(1)
        before = torch.get_rng_state()
        one, again = (
            GaussianNoise(deviation=1.0, chance=0.5)(self.views, RandomStreams.from_seed(1)) for _ in range(2)
        )
        assert torch.equal(one, again)
        assert torch.equal(before, torch.get_rng_state())

    def test_the_fixed_steps_of_updatedpooling_are_one_warp_colours_and_a_rectangle(self) -> None:
        names = [type(step).__name__ for step in pooling_steps(upstream=False)]
        assert names == ["ComposedWarp", "PerViewKorniaStep", "KorniaStep"]
        assert len(pooling_steps(upstream=True)) == 4

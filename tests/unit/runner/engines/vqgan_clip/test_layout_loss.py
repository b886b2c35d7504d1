"""What keeps a picture in another one's layout: worked out by hand, and in a style transfer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from videojob_runner.engines.vqgan_clip.losses.layout import (
    MAX_POSITIONS,
    PROXIMITY_SCALE,
    LayoutLoss,
    color_distances,
    proximity,
    similarity,
    weight_ramp,
)
from videojob_runner.engines.vqgan_clip.schedule.iterations import IterationSchedule, LearningRate
from videojob_runner.torch_utils.images import to_tensor

from tests.unit.runner.engines.vqgan_clip.fakes import HarnessFactory, run

RED, WHITE, BLUE, YELLOW = (0.9, 0.1, 0.1), (1.0, 1.0, 1.0), (0.1, 0.1, 0.9), (1.0, 0.9, 0.1)
Colour = tuple[float, float, float]


def scene(colour: Colour, ground: Colour, *, left: int = 3, width: int = 3, side: int = 12) -> Tensor:
    """An upright bar on a ground, ``[1, 3, side, side]``."""
    picture = torch.tensor(ground).view(1, 3, 1, 1).repeat(1, 1, side, side)
    picture[..., left : left + width] = torch.tensor(colour).view(1, 3, 1, 1)
    return picture


def difference(picture: Tensor, source: Tensor, *, weight: float = 1.0) -> float:
    return float(LayoutLoss.from_image(source, weight=weight).loss(picture))


def test_places_are_compared_by_the_sum_of_their_channels_differences() -> None:
    halves = torch.tensor([0.5, 0.6]).view(1, 1, 1, 2).repeat(1, 3, 1, 1)
    found = color_distances(halves)
    assert found.tolist() == pytest.approx([0, 0.3, 0.3, 0], abs=1e-6)
    assert similarity(found).tolist() == pytest.approx([1, 0.22313, 0.22313, 1], abs=1e-5)
    assert proximity(found).tolist() == pytest.approx([1, 0.32653, 0.32653, 1], abs=1e-5)


def test_unlike_things_need_no_contrast_and_parted_ones_are_drawn_together_from_afar() -> None:
    source, weak, strong = scene(RED, WHITE), (0.6, 0.4, 0.4), (0.0, 0.0, 0.0)
    assert difference(scene(weak, WHITE), source) == pytest.approx(difference(scene(strong, WHITE), source), abs=1e-3)
    picture = scene(BLUE, YELLOW, left=2).requires_grad_()  # one column too far left, so one of the bar is ground
    (gradient,) = torch.autograd.grad(LayoutLoss.from_image(source, weight=1).loss(picture), picture)
    to_the_bar = torch.tensor(BLUE) - torch.tensor(YELLOW)
    assert (gradient[0, :, 6, 5] * to_the_bar).max() < 0, "each channel goes the bar's way"


def test_other_colours_make_no_difference() -> None:
    source = scene(RED, WHITE)
    assert difference(source, source) == pytest.approx(0, abs=1e-3)
    assert difference(scene(BLUE, YELLOW), source) == pytest.approx(0, abs=1e-2)
    assert difference(scene(WHITE, RED), source) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("width", [1, 6])
def test_an_empty_picture_differs_as_much_from_a_small_thing_as_from_a_large_one(width: int) -> None:
    assert difference(torch.full((1, 3, 12, 12), 0.5), scene(RED, WHITE, width=width)) == pytest.approx(1, abs=0.01)


def test_the_difference_grows_the_farther_a_thing_is_from_its_place() -> None:
    found = [difference(scene(BLUE, YELLOW, left=left), scene(RED, WHITE)) for left in (3, 4, 5, 6)]
    assert found == sorted(found)
    assert found[0] < 0.02 and found[1] > 0.2


def test_it_is_counted_over_pairs_half_by_what_is_alike_half_by_what_is_not() -> None:
    """The columns are red, red, white, white, and seen are red, red, red, white; pairs of columns are ordered."""
    source, seen = scene(RED, WHITE, left=0, width=2, side=4), scene(RED, WHITE, left=0, width=3, side=4)
    parted = 2 / 8  # of the 8 pairs alike in the source: the third with the fourth, there and back
    joined = 4 / 8  # of the 8 that are not: the third with the first and the second, there and back
    far = (1 + 1.7 / PROXIMITY_SCALE) ** -2  # how near red and white are
    assert difference(seen, source) == pytest.approx(parted * (1 - far) + joined, abs=2e-3)


def test_the_weight_is_a_factor_and_can_be_taken_in_part() -> None:
    source, seen = scene(RED, WHITE), scene(RED, WHITE, left=6)
    once = difference(seen, source)
    assert difference(seen, source, weight=5) == pytest.approx(5 * once)
    assert float(LayoutLoss.from_image(source, weight=5).scale(0.2).loss(seen)) == pytest.approx(once)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 100), (720, 1280), (5, 3)])
def test_the_places_to_compare_stay_few_whatever_the_size(height: int, width: int) -> None:
    places = color_distances(torch.rand(1, 3, height, width)).numel() ** 0.5
    assert places == int(places)
    assert min(height * width, MAX_POSITIONS) / 4 <= places <= MAX_POSITIONS * 1.2


def test_going_down_its_slope_makes_the_layout_out_of_noise() -> None:
    source = scene(RED, WHITE, side=16)
    picture = (0.5 + 0.05 * torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))).requires_grad_()
    layout, optimiser = LayoutLoss.from_image(source, weight=1), torch.optim.Adam([picture], lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        torch.autograd.backward(layout.loss(picture))
        optimiser.step()
    assert float(layout.loss(picture)) < 0.1
    bar, ground = picture[..., 3:6].mean((2, 3)), picture[..., 8:].mean((2, 3))
    assert float((bar - ground).abs().sum()) > 0.3


def test_its_weight_is_nothing_for_a_fifth_of_the_lead_and_whole_for_two() -> None:
    assert [weight_ramp(part / 5) for part in range(6)] == pytest.approx([0, 0, 0.25, 1, 1, 1])


def test_a_schedule_knows_how_much_of_the_lead_is_done() -> None:
    schedule = IterationSchedule(
        total=8, per_frame=2, rates=LearningRate(start=1, end=1), decay_iterations=1, phrases=(0, 0), warmup=4
    )
    assert [schedule.iteration(number).warmup_fraction for number in range(8)] == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]
    at_once = IterationSchedule(
        total=2, per_frame=2, rates=LearningRate(start=1, end=1), decay_iterations=1, phrases=(0,)
    )
    assert [at_once.iteration(number).warmup_fraction for number in range(2)] == [1, 1]


def test_a_transfer_of_the_layout_ends_nearer_to_it_than_one_without(world: HarnessFactory) -> None:
    def far(**form: Any) -> float:
        w = world()
        (w.folder / "film").mkdir()
        bar = Image.new("RGB", (16, 16), "white")
        bar.paste((200, 20, 20), (4, 0, 9, 16))
        bar.save(w.folder / "film" / "0.png")
        form = {"prompts": "a", "source": "film", "iterationsPerFrame": 40, "sourceWeight": 0, "start": "gray"} | form
        shown = to_tensor(run(w, styleTransfer=form, learningRate=0.1).frames.pixels[0], device="cpu")
        source = torch.ones(1, 3, 16, 16)
        source[..., 4:9] = torch.tensor([200, 20, 20]).view(3, 1, 1) / 255
        return difference(shown, source)

    # A weight so large that rounding, which differs between CPUs (AVX2, AVX-512), does not choose another code.
    assert far(sourceLayoutWeight=100) < far() - 0.03, "of which the fake, pale as it is, can make no more"


def test_a_start_of_its_own_takes_nothing_from_the_source(world: HarnessFactory) -> None:
    def frames(level: int, **form: Any) -> list[bytes]:
        w = world()
        (w.folder / "film").mkdir()
        Image.new("RGB", (16, 16), (level, level, level)).save(w.folder / "film" / "0.png")
        return run(w, styleTransfer={"prompts": "a", "source": "film", "sourceWeight": 0} | form).pictures()

    assert frames(0, start="gray") == frames(255, start="gray")
    assert frames(0) != frames(255)

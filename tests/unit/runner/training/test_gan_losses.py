"""Losses of adversarial training have the values that pencil and paper give."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from videojob_runner.training.losses.gan import (
    GanKind,
    discriminator_loss,
    fake_loss,
    feature_matching,
    generator_loss,
    gradient_penalty,
    interpolate_samples,
    real_loss,
)

LOGITS = torch.tensor([[-2.0, 0.0], [0.5, 3.0]])


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


class TestValues:
    def test_at_chance_the_nonsaturating_losses_are_two_ln_2_and_ln_2(self) -> None:
        zero = torch.zeros(5)
        assert discriminator_loss(zero, zero).item() == pytest.approx(2 * math.log(2))
        assert generator_loss(zero).item() == pytest.approx(math.log(2))

    @pytest.mark.parametrize(
        ("kind", "real", "fake", "generator"),
        [
            (
                "nonsaturating",
                lambda x: -math.log(sigmoid(x)),
                lambda x: -math.log(1 - sigmoid(x)),
                lambda x: -math.log(sigmoid(x)),
            ),
            ("hinge", lambda x: max(0, 1 - x), lambda x: max(0, 1 + x), lambda x: -x),
            ("lsgan", lambda x: (x - 1) ** 2, lambda x: x**2, lambda x: (x - 1) ** 2),
        ],
    )
    def test_they_are_the_means_of_their_formulas(self, kind: GanKind, real, fake, generator) -> None:  # type: ignore[no-untyped-def]
        values = LOGITS.flatten().tolist()
        assert real_loss(LOGITS, kind=kind).item() == pytest.approx(sum(map(real, values)) / 4)
        assert fake_loss(LOGITS, kind=kind).item() == pytest.approx(sum(map(fake, values)) / 4)
        assert generator_loss(LOGITS, kind=kind).item() == pytest.approx(sum(map(generator, values)) / 4)

    @pytest.mark.parametrize("size", [50.0, 500.0])
    def test_a_confident_discriminator_gives_no_infinity(self, size: float) -> None:
        wrong = torch.tensor([-size], requires_grad=True)
        loss = generator_loss(wrong)
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.item() == pytest.approx(size)
        assert wrong.grad is not None and wrong.grad.item() == pytest.approx(-1)

    def test_short_logits_are_added_up_in_float32(self) -> None:
        assert discriminator_loss(LOGITS.bfloat16(), LOGITS.bfloat16()).dtype == torch.float32


class TestGradientPenalty:
    def test_of_a_linear_score_it_is_the_squared_norm_of_its_weights(self) -> None:
        weight = torch.tensor([1.0, -2.0, 3.0])
        for points in (torch.zeros(4, 3), torch.randn(4, 3, generator=torch.Generator().manual_seed(1))):
            assert gradient_penalty(lambda x: x @ weight, points).item() == pytest.approx(14)

    def test_of_probabilities_it_has_the_sigmoid_s_slope_squared(self) -> None:
        weight = torch.tensor([1.0, 1.0])
        points = torch.tensor([[1.0, 0.5], [0.0, -1.0]])
        slopes = [sigmoid(x) * (1 - sigmoid(x)) for x in (1.5, -1.0)]
        expected = 2 * (slopes[0] ** 2 + slopes[1] ** 2) / 2
        assert gradient_penalty(lambda x: torch.sigmoid(x @ weight), points).item() == pytest.approx(expected)

    def test_of_a_quadratic_score_it_depends_on_the_points(self) -> None:
        points = torch.tensor([[3.0], [1.0]])
        assert gradient_penalty(lambda x: x.square().sum(1), points).item() == pytest.approx((36 + 4) / 2)

    def test_many_logits_for_each_sample_are_summed(self) -> None:
        assert gradient_penalty(lambda x: torch.cat([x, 2 * x], 1), torch.zeros(3, 1)).item() == pytest.approx(9)

    def test_it_trains_the_score(self) -> None:
        weight = torch.tensor([1.0, -2.0], requires_grad=True)
        gradient_penalty(lambda x: x @ weight, torch.ones(2, 2)).backward()  # type: ignore[no-untyped-call]
        assert weight.grad is not None and weight.grad.tolist() == [2.0, -4.0]

    def test_it_gives_the_samples_no_gradient(self) -> None:
        fake = torch.ones(2, 2, requires_grad=True)
        points = interpolate_samples(torch.zeros(2, 2), fake)
        gradient_penalty(lambda x: x.square().sum(1), points).backward()  # type: ignore[no-untyped-call]
        assert fake.grad is None

    def test_it_is_computed_in_float32_under_autocast(self) -> None:
        seen: list[torch.dtype] = []
        net = nn.Linear(3, 1)

        def score(x: Tensor) -> Tensor:
            result: Tensor = net(x)
            seen.append(result.dtype)
            return result

        with torch.autocast("cpu", torch.bfloat16):
            gradient_penalty(score, torch.ones(2, 3, dtype=torch.bfloat16))
        assert seen == [torch.float32]

    def test_interpolates_lie_between_and_have_one_share_each(self) -> None:
        shares = interpolate_samples(
            torch.ones(6, 2, 3), torch.zeros(6, 2, 3), generator=torch.Generator().manual_seed(0)
        )
        assert bool(((shares >= 0) & (shares <= 1)).all())
        assert bool((shares == shares[:, :1, :1]).all())
        assert len(set(shares[:, 0, 0].tolist())) == 6


class TestFeatureMatching:
    def test_it_is_the_mean_over_layers_of_mean_differences(self) -> None:
        real = [torch.zeros(2, 2), torch.zeros(10)]
        fake = [torch.full((2, 2), 3.0), torch.full((10,), -1.0)]
        assert feature_matching(real, fake).item() == pytest.approx(2.0)

    def test_gradients_reach_generated_features_only(self) -> None:
        real, fake = torch.zeros(2, requires_grad=True), torch.ones(2, requires_grad=True)
        feature_matching([real], [fake]).backward()  # type: ignore[no-untyped-call]
        assert real.grad is None
        assert fake.grad is not None

    def test_other_numbers_of_layers_are_refused(self) -> None:
        with pytest.raises(ValueError, match="1 real, 2 generated"):
            feature_matching([LOGITS], [LOGITS, LOGITS])

"""Golden vectors of the specification (vqgan-clip §11.1 to §11.3), gradients included."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from videojob_runner.engines.vqgan_clip.losses.prompts import PromptTargets, prompt_loss, spherical_distance
from videojob_runner.models.vqgan.quantize import codebook_range, codes_to_latent, nearest_codes, quantize
from videojob_runner.torch_utils.clamp import clamp_with_gradient

NEVER = -math.inf


def towards(*rows: tuple[float, float], weight: float = 1.0, stop: float = NEVER) -> PromptTargets:
    return PromptTargets(torch.tensor(rows), torch.full((len(rows),), weight), torch.full((len(rows),), stop))


def loss_and_gradient(targets: PromptTargets) -> tuple[float, Tensor]:
    e = torch.eye(2, requires_grad=True)
    loss = prompt_loss(e, targets)
    torch.autograd.backward(loss)
    assert e.grad is not None
    return float(loss.detach()), e.grad


class TestSphericalDistance:
    """§11.1."""

    @pytest.mark.parametrize(
        ("cosine", "distance"),
        [
            (1, 0),
            (0.9, 0.101713),
            (0.5, 0.548311),
            (0.3, 0.801509),
            (0.25, 0.868715),
            (0.2, 0.937681),
            (0, 1.233701),
            (-0.5, 2.193245),
            (-1, 4.934802),
        ],
    )
    def test_it_is_half_the_squared_angle_whatever_the_lengths(self, cosine: float, distance: float) -> None:
        e = torch.tensor([[3.0, 0.0]])
        t = torch.tensor([[cosine, math.sqrt(1 - cosine**2)]]) * 7
        assert float(spherical_distance(e, t)) == pytest.approx(distance, abs=1e-5)

    def test_every_embedding_meets_every_target(self) -> None:
        distances = spherical_distance(torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        expected = torch.tensor([[0, 1.233701, 0.308425], [1.233701, 0, 0.308425]])
        assert torch.allclose(distances, expected, atol=1e-5)

    @pytest.mark.parametrize("target", [(1.0, 0.0), (-1.0, 0.0)])
    def test_its_gradient_is_finite_at_equal_and_at_opposite_vectors(self, target: tuple[float, float]) -> None:
        e = torch.tensor([[1.0, 0.0]], requires_grad=True)
        torch.autograd.backward(spherical_distance(e, torch.tensor([target])).sum())
        assert e.grad is not None
        assert bool(e.grad.isfinite().all())


class TestPromptLoss:
    """§11.1, the second table."""

    G = 0.392699

    @pytest.mark.parametrize(
        ("weight", "stop", "loss", "factor"),
        [
            (1, NEVER, 0.308425, 1),
            (0.5, NEVER, 0.154213, 0.5),
            (-1, NEVER, -0.308425, -1),
            (1, 0.5, 0.308425, 0),
            (-1, -0.5, -0.308425, -1),
            (-1, -0.3, -0.308425, 0),
            (0, NEVER, 0, 0),
        ],
    )
    def test_one_prompt(self, weight: float, stop: float, loss: float, factor: float) -> None:
        value, gradient = loss_and_gradient(towards((1.0, 1.0), weight=weight, stop=stop))
        assert value == pytest.approx(loss, abs=1e-5)
        assert torch.allclose(gradient, factor * torch.tensor([[0, -self.G], [-self.G, 0]]), atol=1e-5)

    def test_exactly_at_the_stop_half_the_gradient_passes(self) -> None:
        distance = float(spherical_distance(torch.eye(2), torch.ones(1, 2))[0])
        _, gradient = loss_and_gradient(towards((1.0, 1.0), stop=distance))
        assert float(gradient[0, 1]) == pytest.approx(-self.G / 2, abs=1e-5)

    def test_prompts_add_up_and_their_weights_are_not_normalised(self) -> None:
        separate = [loss_and_gradient(towards(row, weight=2)) for row in ((1.0, 1.0), (1.0, 0.0))]
        together, gradient = loss_and_gradient(towards((1.0, 1.0), (1.0, 0.0), weight=2))
        assert together == pytest.approx(separate[0][0] + separate[1][0], abs=1e-5)
        assert torch.allclose(gradient, separate[0][1] + separate[1][1], atol=1e-5)

    def test_the_three_rows_of_the_specification_have_its_mean(self) -> None:
        value, _ = loss_and_gradient(towards((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)))
        assert value / 3 == pytest.approx(0.514042, abs=1e-5)


@pytest.mark.parametrize(
    ("x", "incoming", "out", "passed"),
    [(-0.5, 1, 0, 0), (0.5, 1, 0.5, 1), (1.5, 1, 1, 1), (-0.5, -1, 0, -1), (1.5, -1, 1, 0), (1.0, -1, 1.0, -1)],
)
def test_the_clamp_lets_gradients_through_that_lead_back(x: float, incoming: float, out: float, passed: float) -> None:
    value = torch.tensor([x], requires_grad=True)
    clamped = clamp_with_gradient(value)
    torch.autograd.backward(clamped, torch.tensor([float(incoming)]))
    assert value.grad is not None
    assert (clamped.item(), value.grad.item()) == (out, passed)


class TestQuantiser:
    """§11.3."""

    BOOK = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])

    def latent(self, *points: tuple[float, float]) -> Tensor:
        return torch.tensor(points).t().reshape(1, 2, 1, len(points))

    def test_each_position_takes_the_nearest_code_and_a_tie_the_first(self) -> None:
        z = self.latent((0.4, 0.1), (0.6, 0.1), (0.2, 1.2), (0.0, 1.0))
        assert nearest_codes(z, self.BOOK).tolist() == [[[0, 1, 2, 0]]]
        assert torch.equal(quantize(z, self.BOOK), self.latent((0, 0), (1, 0), (0, 2), (0, 0)))

    def test_the_gradient_passes_unchanged(self) -> None:
        z = self.latent((0.4, 0.1), (0.2, 1.2)).requires_grad_()
        incoming = torch.arange(4.0).view(1, 2, 1, 2)
        torch.autograd.backward(quantize(z, self.BOOK), incoming)
        assert z.grad is not None
        assert torch.equal(z.grad, incoming)

    def test_its_values_are_the_codebook_bit_by_bit(self) -> None:
        draws = torch.Generator().manual_seed(5)
        book, z = torch.randn(64, 8, generator=draws), torch.randn(1, 8, 6, 5, generator=draws)
        indices = nearest_codes(z, book)
        one_hot = torch.nn.functional.one_hot(indices, 64).float() @ book
        assert torch.equal(quantize(z, book), one_hot.permute(0, 3, 1, 2))
        by_distance = torch.cdist(z.permute(0, 2, 3, 1).reshape(-1, 8), book).argmin(1)
        assert torch.equal(indices.flatten(), by_distance)

    def test_indices_and_latents_have_the_same_places(self) -> None:
        indices = torch.tensor([[[0, 1], [2, 0]]])
        assert torch.equal(nearest_codes(codes_to_latent(indices, self.BOOK), self.BOOK), indices)

    def test_the_range_of_a_codebook_is_per_channel(self) -> None:
        low, high = codebook_range(self.BOOK)
        assert low.flatten().tolist() == [0, 0]
        assert high.flatten().tolist() == [1, 2]

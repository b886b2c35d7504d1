"""The optimisers (specification vqgan-clip §2.13): every name, the two that torch lacks, and runs with each."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
import torch
from torch import Tensor
from videojob_api.pipelines.vqgan_clip import OptimizerName
from videojob_runner.engines.vqgan_clip.latent.optimizers import OPTIMIZERS, AdamP, DiffGrad
from videojob_runner.errors import Interrupted

from tests.unit.runner.engines.vqgan_clip.fakes import HarnessFactory, run

NAMES = get_args(OptimizerName)
VIDEO = {"prompts": "a ^ b", "frames": 3, "iterationsPerFrame": 2, "iterationsForFirstFrame": 1}


def walk(name: OptimizerName, gradients: list[Tensor], *, start: Tensor, rate: float) -> list[Tensor]:
    """Where the parameter is after each of the gradients."""
    parameter = start.clone().requires_grad_()
    optimiser = OPTIMIZERS[name]([parameter])
    path = []
    for gradient in gradients:
        optimiser.param_groups[0]["lr"] = rate
        parameter.grad = gradient.clone()
        optimiser.step()
        path.append(parameter.detach().clone())
    return path


def some_gradients(count: int, size: int = 4) -> list[Tensor]:
    draws = torch.Generator().manual_seed(3)
    return [torch.randn(size, generator=draws) for _ in range(count)]


def test_there_is_one_for_every_name() -> None:
    parameter = torch.zeros(1, requires_grad=True)
    assert {type(make([parameter])).__name__: name for name, make in OPTIMIZERS.items()} == {
        name: name for name in NAMES
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_finds_the_lowest_point_of_a_bowl(name: OptimizerName) -> None:
    parameter = torch.tensor([3.0, -2.0], requires_grad=True)
    optimiser = OPTIMIZERS[name]([parameter])
    optimiser.param_groups[0]["lr"] = 0.5 if name == "Adagrad" else 0.1
    for _ in range(200):
        optimiser.zero_grad()
        torch.autograd.backward((parameter - 1).square().sum())
        optimiser.step()
    assert parameter.tolist() == pytest.approx([1, 1], abs=0.2)


class TestDiffGrad:
    def test_its_steps_are_those_of_the_paper_written_out_in_numbers(self) -> None:
        """In plain floats, with the defaults of the table: eps 1e-9 outside the corrected root, weight decay 1e-9."""
        gradients, rate = [0.5, 0.4, -0.3], 0.1
        x, first, second, previous, expected = 2.0, 0.0, 0.0, 0.0, []
        for step, raw in enumerate(gradients, start=1):
            g = raw + 1e-9 * x
            first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
            friction = 1 / (1 + math.exp(-abs(previous - g)))
            size = rate * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            x -= size * first * friction / (math.sqrt(second) + 1e-9)
            previous = g
            expected.append(x)
        path = walk("DiffGrad", [torch.tensor([g]) for g in gradients], start=torch.tensor([2.0]), rate=rate)
        assert [float(at) for at in path] == pytest.approx(expected, abs=1e-5)

    def test_a_gradient_that_stays_equal_halves_adam_s_step(self) -> None:
        same = [torch.tensor([0.5])] * 6
        ours, adam = (walk(name, same, start=torch.tensor([0.0]), rate=0.1) for name in ("DiffGrad", "Adam"))
        assert float(ours[5] - ours[4]) == pytest.approx(float(adam[5] - adam[4]) / 2, rel=1e-3)

    def test_a_gradient_that_jumps_leaves_adam_s_step(self) -> None:
        jumping = [torch.tensor([50.0])]
        assert float(walk("DiffGrad", jumping, start=torch.tensor([0.0]), rate=0.1)[0]) == pytest.approx(-0.1, rel=1e-3)


class TestAdamP:
    def test_a_gradient_along_the_parameter_moves_it_as_adam_does(self) -> None:
        start = torch.tensor([1.0, 2.0, -1.0, 0.5])
        gradients = [start * factor for factor in (1.0, 0.5, 0.25)]
        ours, adam = (walk(name, gradients, start=start, rate=0.01) for name in ("AdamP", "Adam"))
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours, adam, strict=True))

    def test_a_gradient_upright_on_it_turns_it_without_lengthening_it(self) -> None:
        """Adam's first step is the gradient's sign times the rate; what of it points along the parameter goes."""
        start, gradient = torch.tensor([3.0, 0.0, 0.0, 4.0]), torch.tensor([0.4, 1.0, 0.0, -0.3])
        adam = torch.tensor([1.0, 1.0, 0.0, -1.0])
        unit = start / 5
        expected = start - 0.1 * (adam - unit * float(unit @ adam))
        [ours] = walk("AdamP", [gradient], start=start, rate=0.1)
        assert torch.allclose(ours, expected, atol=1e-5)
        assert float((ours - start) @ unit) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("kind", [DiffGrad, AdamP])
def test_a_closure_is_called_with_gradients(kind: Any) -> None:
    parameter = torch.tensor([1.0], requires_grad=True)
    optimiser = kind([parameter], lr=0.1, eps=1e-8)

    def closure() -> float:
        loss = parameter.square().sum()
        torch.autograd.backward(loss)
        return float(loss.detach())

    assert optimiser.step(closure) == 1
    assert float(parameter.detach()) < 1
    parameter.grad = None
    before = float(parameter.detach())
    assert optimiser.step() is None
    assert float(parameter.detach()) == before, "without a gradient nothing moves"


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_run_goes_on_to_the_very_same_bytes_with_each(world: HarnessFactory, name: str) -> None:
    undisturbed, w = run(world(), optimizer=name, video=VIDEO), world(interrupted_after=4)
    with pytest.raises(Interrupted):
        run(w, optimizer=name, video=VIDEO)
    w.interrupted_after = None
    assert run(w, optimizer=name, video=VIDEO).pictures() == undisturbed.pictures()


def test_they_make_different_pictures_and_adam_is_the_usual_one(world: HarnessFactory) -> None:
    image = {"prompts": "a", "iterations": 6}
    pictures = {name: run(world(), optimizer=name, image=image).pictures()[0] for name in NAMES}
    assert len(set(pictures.values())) > len(NAMES) / 2, "codes are coarse: two may come to the same ones"
    assert run(world(), image=image).pictures()[0] == pictures["Adam"]


def test_q_45_an_unknown_optimiser_is_refused_with_the_choices(world: HarnessFactory) -> None:
    for field, value, choice in (
        ("optimizer", "SGD", "DiffGrad"),
        ("cutMethod", "fastest", "nrupdated"),
        ("start", "snow", "gradient"),
    ):
        with pytest.raises(ValueError, match=rf"{field}(.|\n)*'{choice}'"):
            run(world(), image={"prompts": "a"}, **{field: value})

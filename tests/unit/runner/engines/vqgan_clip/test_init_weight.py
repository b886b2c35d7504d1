"""The init weight in its four forms (specification vqgan-clip §2.11), alone and in whole runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from videojob_runner.engines.vqgan_clip.latent.optimizer import LatentOptimizer, OptimizerOptions
from videojob_runner.engines.vqgan_clip.losses.init_weight import InitWeight, Method
from videojob_runner.errors import Interrupted

from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, HarnessFactory, run

VIDEO = {"prompts": "a ^ b", "frames": 3, "iterationsPerFrame": 2, "iterationsForFirstFrame": 1, "zoom": 1.1}
Z, START, TARGET = (torch.tensor(values).view(1, 2, 1, 1) for values in ([1.0, 3.0], [0.0, 1.0], [1.0, 7.0]))


@pytest.mark.parametrize(
    ("method", "age", "loss"),
    [  # Mean squared differences by hand: to the start (1 + 4) / 2, to zero (1 + 9) / 2, to the target (0 + 16) / 2.
        ("original", 0, 3 / 2 * 2.5),
        ("original", 50, 3 / 2 * 2.5),
        ("decay", 0, 3 / 2 * 5),
        ("decay", 1, 3 / 2 / 3 * 5),
        ("decay", 10, 3 / 2 / 21 * 5),
        ("target", 10, 3 / 2 * 8),
        ("targetDecay", 0, 5 * 3 * 8),
        ("targetDecay", 10, 5 * 3 / 21 * 8),
    ],
)
def test_each_method_is_the_row_of_the_table(method: Method, age: int, loss: float) -> None:
    anchor = InitWeight(weight=3, method=method)
    assert float(anchor.loss(Z, start=START, target=TARGET, age=age)) == pytest.approx(loss, rel=1e-6)


def test_a_method_that_needs_a_target_says_so_when_there_is_none() -> None:
    with pytest.raises(ValueError, match="'target' needs a target"):
        InitWeight(weight=1, method="target").loss(Z, start=START, target=None, age=0)


def test_the_pull_leads_back_to_the_start() -> None:
    z = Z.clone().requires_grad_()
    torch.autograd.backward(InitWeight(weight=2).loss(z, start=START, target=None, age=0))
    assert z.grad is not None
    assert torch.allclose(z.grad, Z - START)  # λ/2 · d/dz of the mean of two squares


def moved(w: EngineHarness, start: EngineHarness) -> float:
    """How far the last picture is from the first of `start`."""
    last, first = w.frames.pixels[max(w.frames.pixels)], start.frames.pixels[0]
    return float(np.abs(last.astype(float) - first.astype(float)).mean())


def test_a_large_weight_keeps_the_start_and_a_fading_one_toward_zero_does_not(world: HarnessFactory) -> None:
    def made(**fields: Any) -> EngineHarness:
        return run(world(), learningRate=0.05, image={"prompts": "a red circle", "iterations": 25}, **fields)

    start = run(world(), timelapse={"prompts": "a", "iterations": 1})
    free, held, fading = made(), made(initWeight=1000), made(initWeight=1000, initWeightMethod="decay")
    assert moved(held, start) < 0.5 * moved(free, start)
    assert moved(fading, start) > moved(held, start)


def test_weight_zero_is_no_weight(world: HarnessFactory) -> None:
    image = {"prompts": "x", "iterations": 3}
    assert run(world(), initWeight=0, image=image).pictures() == run(world(), image=image).pictures()


def still(weight: float, **form: Any) -> dict[str, Any]:
    """A run in which only the init weight speaks, at a rate that moves nothing worth telling."""
    return {"learningRate": 1e-9, "initWeight": weight, "initWeightMethod": "decay", **form}


def test_it_fades_from_one_in_an_image_and_from_zero_in_each_frame_of_a_video(world: HarnessFactory) -> None:
    image = run(world(), **still(2, image={"prompts": "x:0", "iterations": 4}))
    video = {"prompts": "x:0", "frames": 2, "iterationsPerFrame": 3, "iterationsForFirstFrame": 2}
    frames = run(world(), **still(2, video=video))
    whole = image.progress.losses[0] * 3  # age 1 divides by 3
    assert image.progress.losses == pytest.approx([whole / (2 * age + 1) for age in (1, 2, 3, 4)], rel=1e-4)
    assert frames.progress.losses == pytest.approx(
        [whole / (2 * age + 1) for age in (0, 1, 0, 1, 2, 0, 1, 2)], rel=1e-4
    )


@pytest.mark.parametrize("method", ["original", "decay"])
def test_an_interrupted_run_that_is_held_back_goes_on_to_the_very_same_bytes(
    world: HarnessFactory, method: str
) -> None:
    fields: dict[str, Any] = {"initWeight": 5, "initWeightMethod": method, "video": VIDEO}
    undisturbed, w = run(world(), **fields), world(interrupted_after=4)
    with pytest.raises(Interrupted):
        run(w, **fields)
    w.interrupted_after = None
    assert run(w, **fields).pictures() == undisturbed.pictures()
    assert undisturbed.pictures() != run(world(), video=VIDEO).pictures()


def test_q_31_the_documented_name_of_the_method_acts(world: HarnessFactory) -> None:
    image = {"prompts": "x", "iterations": 5}
    methods = [
        run(world(), initWeight=50, image=image, **({"initWeightMethod": name} if name else {}))
        for name in ("", "original", "decay")
    ]
    usual, original, decay = (w.pictures() for w in methods)
    assert usual == original
    assert original != decay


class TestLatentTarget:
    """A target is what a form sets; the latent keeps it through a checkpoint."""

    def test_a_restored_latent_is_held_near_the_same_target(self) -> None:
        book = torch.tensor([[0.0, 0.0], [4.0, 8.0]])
        latent = LatentOptimizer(Z, book, OptimizerOptions(init_weight=InitWeight(weight=1, method="target")))
        latent.target = TARGET
        other = LatentOptimizer(
            torch.zeros_like(Z), book, OptimizerOptions(init_weight=InitWeight(weight=1, method="target"))
        )
        other.load_state_dict({name: tensor.clone() for name, tensor in latent.state_dict().items()})
        restored: Tensor | None = other.target
        assert restored is not None
        assert torch.equal(restored, TARGET)
        assert torch.equal(other.start, Z)

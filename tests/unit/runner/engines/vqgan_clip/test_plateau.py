"""The adaptive learning rate (specification vqgan-clip §2.14), patient or as `compat: upstream` has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from videojob_runner.engines.vqgan_clip.config import VqganClipConfig
from videojob_runner.engines.vqgan_clip.latent.optimizer import LatentOptimizer, OptimizerOptions
from videojob_runner.engines.vqgan_clip.schedule.forms import plateau_options
from videojob_runner.engines.vqgan_clip.schedule.plateau import FACTOR, PlateauOptions, ReduceOnPlateau
from videojob_runner.errors import Interrupted

from tests.unit.runner.engines.vqgan_clip.fakes import HarnessFactory, run

UPSTREAM = PlateauOptions(patience=10, upstream=True)
OURS = PlateauOptions(patience=50)


def factors(plateau: ReduceOnPlateau, losses: Iterable[float]) -> list[float]:
    """The factor after each loss."""
    seen = []
    for loss in losses:
        plateau.step(loss)
        seen.append(plateau.factor)
    return seen


@given(st.lists(st.floats(0.01, 2.0), min_size=1, max_size=80))
def test_with_single_losses_it_is_torch_s_reduce_on_plateau(losses: list[float]) -> None:
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser)
    expected = []
    for loss in losses:
        theirs.step(loss)
        expected.append(optimiser.param_groups[0]["lr"])
    assert factors(ReduceOnPlateau(UPSTREAM), losses) == pytest.approx(expected)


def noisy_fall(count: int, seed: int) -> list[float]:
    """A loss that falls steadily from 0.95 to 0.85, under cutout noise of deviation 0.02."""
    draws = torch.Generator().manual_seed(seed)
    noise = 0.02 * torch.randn(count, generator=draws)
    return [0.95 - 0.1 * i / count + float(noise[i]) for i in range(count)]


@pytest.mark.parametrize("seed", range(10))
def test_q_37_noise_is_no_plateau_but_collapses_the_original_s_rate(seed: int) -> None:
    losses = noisy_fall(500, seed)
    assert factors(ReduceOnPlateau(OURS), losses)[-1] == 1
    assert factors(ReduceOnPlateau(UPSTREAM), losses)[-1] <= 1e-10


def test_a_real_plateau_lowers_ours_too() -> None:
    falling, flat = [1 - i / 200 for i in range(100)], [0.5] * 300
    seen = factors(ReduceOnPlateau(OURS), [*falling, *flat])
    assert seen[99] == 1
    # The average still sinks: e^(−t/25.5) of 0.127 is below the threshold, 5e-5, after 200; then 50 pass in vain.
    first = seen.index(FACTOR)
    assert first == pytest.approx(100 + 200 + 50, abs=5)
    assert seen[first + 50] == pytest.approx(0.1)
    assert seen[first + 51] == pytest.approx(0.01)


def test_a_loss_below_zero_is_judged_alike() -> None:
    """Prompts that push away have negative losses; falling still means lower."""
    assert factors(ReduceOnPlateau(UPSTREAM), [-0.5 - i / 1000 for i in range(50)])[-1] == 1
    assert factors(ReduceOnPlateau(UPSTREAM), [-0.5] * 30)[-1] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"image": {"prompts": "a", "iterations": 1000}}, PlateauOptions(patience=100)),
        ({"image": {"prompts": "a", "iterations": 20}}, PlateauOptions(patience=10)),
        ({"video": {"prompts": "a", "frames": 9, "iterationsPerFrame": 15}}, PlateauOptions(patience=150)),
        ({"compat": "upstream", "video": {"prompts": "a", "frames": 9}}, UPSTREAM),
    ],
)
def test_q_37_patience_is_counted_in_frames(fields: dict[str, Any], expected: PlateauOptions) -> None:
    assert plateau_options(VqganClipConfig.model_validate(fields)) == expected


class TestInALatent:
    Z, BOOK = torch.zeros(1, 2, 1, 1), torch.tensor([[0.0, 0.0], [1.0, 1.0]])

    def tired(self, patience: PlateauOptions) -> tuple[LatentOptimizer, ReduceOnPlateau]:
        """A latent whose rate has already fallen."""
        latent = LatentOptimizer(self.Z, self.BOOK, OptimizerOptions(plateau=patience))
        assert latent.plateau is not None
        latent.plateau.memory.factor = 0.1
        return latent, latent.plateau

    def test_a_moved_camera_leaves_ours_alone_and_a_new_phrase_does_not(self) -> None:
        latent, plateau = self.tired(OURS)
        latent.reset(self.Z)
        assert plateau.factor == 0.1
        latent.start_phrase()
        assert plateau.factor == 1

    def test_the_original_s_begins_anew_with_each_optimiser_and_sees_no_phrases(self) -> None:
        latent, plateau = self.tired(UPSTREAM)
        latent.start_phrase()
        assert plateau.factor == 0.1
        latent.reset(self.Z)
        assert plateau.factor == 1


def test_the_rate_falls_in_a_run_and_survives_an_interruption(world: HarnessFactory) -> None:
    fields: dict[str, Any] = {
        "adaptiveLearningRate": True,
        "compat": "upstream",
        "initWeight": 1e-6,
        "learningRate": 0.3,
        "image": {"prompts": "a", "iterations": 40},
    }
    undisturbed, w = run(world(), **fields), world(interrupted_after=25)
    with pytest.raises(Interrupted):
        run(w, **fields)
    w.interrupted_after = None
    assert run(w, **fields).pictures() == undisturbed.pictures()
    assert run(world(), **{**fields, "adaptiveLearningRate": False}).pictures() != undisturbed.pictures()

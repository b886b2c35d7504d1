"""Metrics agree with other ways to compute them."""

from __future__ import annotations

import weakref

import numpy as np
import numpy.typing as npt
import pytest
import torch
from videojob_runner.training.metrics import (
    RunningMean,
    frechet_distance,
    gaussian_frechet_distance,
    motion_energy,
    psnr,
    ssim,
)

Floats = npt.NDArray[np.float64]


def slow_ssim(image: Floats, target: Floats, data_range: float) -> float:
    """By the formula, window by window: images [H, W], a Gaussian of 11 × 11 with σ = 1.5, reflected borders."""
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    one, other = (np.pad(each, 5, mode="reflect") for each in (image, target))
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            a, b = one[y : y + 11, x : x + 11], other[y : y + 11, x : x + 11]
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb = (window * a**2).sum() - ma**2, (window * b**2).sum() - mb**2
            cov = (window * a * b).sum() - ma * mb
            values.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return float(np.mean(values))


class TestImages:
    def test_an_error_of_one_255th_everywhere_is_48_decibels(self) -> None:
        images = torch.full((2, 3, 4, 5), 0.5)
        assert psnr(images + 1 / 255, images).tolist() == pytest.approx([48.1308] * 2, abs=1e-3)

    def test_the_range_of_values_cancels_out(self) -> None:
        images, targets = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 8, 8)
        torch.testing.assert_close(psnr(images, targets), psnr(2 * images - 1, 2 * targets - 1, data_range=2))

    def test_equal_images_have_a_hundred_decibels(self) -> None:
        images = torch.rand(2, 5, 3, 4, 4)
        assert psnr(images, images).shape == (2, 5)
        assert set(psnr(images, images).flatten().tolist()) == {100.0}

    @pytest.mark.parametrize(("low", "data_range"), [(0.0, 1.0), (-1.0, 2.0)])
    def test_ssim_is_the_formula_s(self, low: float, data_range: float) -> None:
        rng = np.random.default_rng(1)
        image = low + data_range * rng.random((14, 12))
        target = (image + data_range * 0.2 * rng.normal(size=image.shape)).clip(low, low + data_range)
        expected = slow_ssim(image, target, data_range)
        measured = ssim(
            torch.from_numpy(image)[None, None], torch.from_numpy(target)[None, None], data_range=data_range
        )
        assert 0.2 < expected < 0.95
        assert measured.item() == pytest.approx(expected, abs=1e-4)

    def test_ssim_of_clips_is_that_of_each_frame(self) -> None:
        clips, targets = torch.rand(2, 3, 3, 16, 16), torch.rand(2, 3, 3, 16, 16)
        frames = ssim(clips[1, 2], targets[1, 2])
        assert frames.shape == ()
        assert ssim(clips, targets)[1, 2].item() == pytest.approx(frames.item(), abs=1e-6)

    def test_motion_energy_is_the_mean_change_between_frames(self) -> None:
        clip = torch.zeros(4, 3, 2, 2)
        clip[1] = 1.0
        clip[3, :, 0] = 0.5
        assert motion_energy(clip).tolist() == [1.0, 1.0, 0.25]
        assert motion_energy((clip * 255).byte()[None]).shape == (1, 3)


class TestFrechetDistance:
    def test_of_two_known_gaussians(self) -> None:
        """In one dimension it is (μ₁ − μ₂)² + (σ₁ − σ₂)²; independent dimensions add up."""
        means, sigmas = np.array([[0.0, 1.0], [3.0, -1.0]]), np.array([[1.0, 2.0], [2.5, 0.5]])
        expected = ((means[0] - means[1]) ** 2 + (sigmas[0] - sigmas[1]) ** 2).sum()
        measured = gaussian_frechet_distance(means[0], np.diag(sigmas[0] ** 2), means[1], np.diag(sigmas[1] ** 2))
        assert measured == pytest.approx(expected)

    def test_a_rotation_of_space_changes_nothing(self) -> None:
        rng = np.random.default_rng(0)
        first, second = rng.normal(size=(50, 4)), rng.normal(1, 2, size=(60, 4))
        turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
        assert frechet_distance(first @ turn, second @ turn) == pytest.approx(frechet_distance(first, second))

    def test_covariances_that_do_not_commute(self) -> None:
        """Against the trace of the root of the product by its complex eigenvalues."""
        rng = np.random.default_rng(3)
        first, second = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)), rng.normal(size=(30, 3))
        one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
        roots = np.sqrt(np.linalg.eigvals(one @ other).astype(complex)).real.sum()
        expected = ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(one) + np.trace(other) - 2 * roots
        assert frechet_distance(first, second) == pytest.approx(expected)

    def test_a_shift_gives_its_squared_length_and_equal_sets_nothing(self) -> None:
        features = np.random.default_rng(2).normal(size=(10, 20))  # fewer samples than dimensions
        assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
        assert frechet_distance(features, features + 2.0) == pytest.approx(20 * 4, abs=1e-6)

    def test_one_feature_is_enough(self) -> None:
        assert frechet_distance([[0.0], [2.0]], [[5.0], [7.0]]) == pytest.approx(25)

    @pytest.mark.parametrize("other", [np.zeros((5, 2)), np.zeros((1, 3)), np.zeros(3)])
    def test_shapes_that_do_not_fit_are_refused(self, other: Floats) -> None:
        with pytest.raises(ValueError, match=r"two arrays \[n ≥ 2, D\]"):
            frechet_distance(np.zeros((5, 3)), other)


class TestRunningMean:
    def test_each_name_is_averaged_over_the_steps_that_had_it(self) -> None:
        means = RunningMean()
        means.update({"a": torch.tensor(1.0), "b": torch.tensor(5.0)})
        means.update({"a": torch.tensor(2.0)})
        assert means.compute() == {"a": 1.5, "b": 5.0}
        means.reset()
        assert means.compute() == {}

    def test_it_waits_for_the_device_only_when_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(tensor: torch.Tensor, *args: object) -> None:
            raise AssertionError("a value was read back")

        means = RunningMean()
        with monkeypatch.context() as patch:
            for name in ("item", "tolist", "__float__", "cpu", "numpy"):
                patch.setattr(torch.Tensor, name, refuse)
            for value in range(4):
                means.update({"loss": torch.full((), value, dtype=torch.bfloat16, requires_grad=False)})
        assert means.compute() == {"loss": 1.5}

    def test_it_keeps_no_graph(self) -> None:
        means, weight = RunningMean(), torch.ones((), requires_grad=True)
        means.update({"loss": weight * 2})
        known = weakref.ref(weight)
        del weight
        assert known() is None
        assert means.compute() == {"loss": 2.0}

    def test_its_state_is_exact(self) -> None:
        means, again = RunningMean(), RunningMean()
        means.update({"loss": torch.tensor(1 / 3)})
        again.load_state_dict(means.state_dict())
        for each in (means, again):
            each.update({"loss": torch.tensor(0.1)})
        assert means.compute() == again.compute()

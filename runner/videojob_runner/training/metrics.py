"""Metrics of images, clips and distributions, and means of losses that do not wait for the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from kornia.metrics import ssim as kornia_ssim
from torch import Tensor

from videojob_runner.training.distributed import average

MIN_MSE: Final = 1e-10
"""Of images in 0…1: equal images have 100 dB."""

Floats = npt.NDArray[np.float64]


def psnr(images: Tensor, targets: Tensor, *, data_range: float = 1.0) -> Tensor:
    """
    The peak signal-to-noise ratio of each image, in dB.

    Images are ``[..., C, H, W]``, of values that span `data_range` (1 for 0…1, 2 for −1…1); the result is ``[...]``.
    """
    difference = (images.float() - targets.float()) / data_range
    return -10 * torch.log10(difference.square().mean((-3, -2, -1)).clamp(min=MIN_MSE))


def ssim(images: Tensor, targets: Tensor, *, data_range: float = 1.0) -> Tensor:
    """
    The structural similarity of each image, −1…1, in a Gaussian window of 11 × 11 with σ = 1.5.

    Shapes as for `psnr`. Source: Wang et al., IEEE TIP 13 (2004), 600–612; the filter reflects at the borders.
    """
    first, second = (each.float().reshape(-1, *images.shape[-3:]) for each in (images, targets))
    maps: Tensor = kornia_ssim(first, second, 11, data_range)
    return maps.mean((-3, -2, -1)).reshape(images.shape[:-3])


def motion_energy(clips: Tensor) -> Tensor:
    """The mean absolute difference between successive frames of clips ``[..., T, C, H, W]``, ``[..., T − 1]``."""
    clips = clips.float()
    later, earlier = clips[..., 1:, :, :, :], clips[..., :-1, :, :, :]
    return (later - earlier).abs().mean((-3, -2, -1))


def frechet_distance(features: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """
    The Fréchet distance between Gaussians fitted to two sets of features, ``[n, D]`` and ``[m, D]``; n, m ≥ 2.

    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½) in float64 with sample covariances. Source: arXiv 1706.08500. Call it by its
    features: "FVD" is what it is on those of I3D only. Raises ValueError if the shapes do not agree.
    """
    first, second = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    if first.ndim != 2 or first.shape[1:] != second.shape[1:] or min(len(first), len(second)) < 2:
        raise ValueError(f"two arrays [n ≥ 2, D] are needed, not {list(first.shape)} and {list(second.shape)}")
    return gaussian_frechet_distance(first.mean(0), _covariance(first), second.mean(0), _covariance(second))


def gaussian_frechet_distance(mean: Floats, covariance: Floats, other_mean: Floats, other_covariance: Floats) -> float:
    """The Fréchet distance between two Gaussians, of means ``[D]`` and covariances ``[D, D]``."""
    root = _matrix_root(covariance)
    # Σ₁ Σ₂ has the eigenvalues of the symmetric Σ₁^½ Σ₂ Σ₁^½, whose roots need no complex numbers
    eigenvalues = np.linalg.eigvalsh(root @ other_covariance @ root).clip(min=0)
    shift = np.square(mean - other_mean).sum()
    return float(shift + np.trace(covariance) + np.trace(other_covariance) - 2 * np.sqrt(eigenvalues).sum())


def _covariance(features: Floats) -> Floats:
    return np.atleast_2d(np.cov(features, rowvar=False)).astype(np.float64)


def _matrix_root(symmetric: Floats) -> Floats:
    values, vectors = np.linalg.eigh(symmetric)
    return np.asarray((vectors * np.sqrt(values.clip(min=0))) @ vectors.T)


class RunningMean:
    """Means of scalars, each over the steps that had it; sums stay on `device` until `compute`."""

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def update(self, values: Mapping[str, Tensor]) -> None:
        """Adds scalars by their names; does not wait for the device."""
        for name, value in values.items():
            addend = value.detach().to(self._device, torch.float64)
            self._sums[name] = self._sums[name] + addend if name in self._sums else addend
            self._counts[name] = self._counts.get(name, 0) + 1

    def compute(self) -> dict[str, float]:
        """The means over all steps and processes. Waits for the device once."""
        sums = self._averaged_sums()
        return {name: total / self._counts[name] for name, total in sums.items()}

    def reset(self) -> None:
        """Forgets everything."""
        self._sums, self._counts = {}, {}

    def state_dict(self) -> dict[str, Any]:
        """Sums (means over all processes) and counts as JSON values. Waits for the device once."""
        return {"sums": self._averaged_sums(), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._sums = {
            name: torch.tensor(total, dtype=torch.float64, device=self._device) for name, total in state["sums"].items()
        }
        self._counts = dict(state["counts"])

    def _averaged_sums(self) -> dict[str, float]:
        if not self._sums:
            return {}
        return dict(zip(self._sums, average(torch.stack(list(self._sums.values()))).tolist(), strict=True))

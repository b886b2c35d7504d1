"""
How alike the layouts of two pictures are, whatever their colours: the SSIM of their edge maps.

An edge map is the strength of Sobel gradients in Lab, of the picture lightly blurred, relative to the strongest edges
of the same picture: a red disc on white and a blue one on yellow have the same map, though neither shares a colour
with the other. SSIM is that of Wang et al. (2004): a Gaussian window of deviation 1.5 over 11 pixels, K 0.01 and 0.03.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.fidelity.evaluators.color_shape import Image, to_lab

Floats = NDArray[np.float64]

BLUR: Final = 1.0
"""Deviation in pixels of the Gaussian before the gradients: what is thinner than an outline is no layout."""
STRONG_PERCENTILE: Final = 99.0
"""Percentile of the gradients that counts as 1; the outline of one object covers more than a hundredth of it."""
MIN_STRONG_EDGE: Final = 3.0
"""Lab units per pixel below which nothing is taken for a strong edge, so that an even picture has none."""
WINDOW, SIGMA = 11, 1.5
SSIM_CONSTANTS: Final = (0.01**2, 0.03**2)
"""The constants of SSIM for values in 0…1."""


def gaussian(deviation: float, reach: int) -> Floats:
    """Weights of a normal distribution at −reach…reach; their sum is 1."""
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return np.asarray(weights / weights.sum())


def correlate(plane: Floats, weights: Floats, axis: int) -> Floats:
    """A plane ``[H, W]`` correlated with an odd number of weights along an axis, reflected at the border."""
    reach = len(weights) // 2
    framed = np.pad(plane, [(reach, reach) if own == axis else (0, 0) for own in (0, 1)], mode="reflect")
    size = plane.shape[axis]
    shifted = [framed.take(range(start, start + size), axis) for start in range(len(weights))]
    return np.asarray(sum(weight * part for weight, part in zip(weights, shifted, strict=True)))


def gaussian_blur(plane: Floats, deviation: float, reach: int) -> Floats:
    """A plane under a Gaussian."""
    weights = gaussian(deviation, reach)
    return correlate(correlate(plane, weights, 0), weights, 1)


def sobel(plane: Floats) -> tuple[Floats, Floats]:
    """Sobel's gradients down and across, per pixel."""
    across, along = np.array([-0.5, 0.0, 0.5]), np.array([0.25, 0.5, 0.25])
    return correlate(correlate(plane, across, 0), along, 1), correlate(correlate(plane, across, 1), along, 0)


def edge_map(picture: Image) -> Floats:
    """Strength of the edges of ``[H, W, 3]``, 0…1, relative to the strongest ones."""
    planes = np.moveaxis(to_lab(picture), -1, 0)
    gradients = [slope for plane in planes for slope in sobel(gaussian_blur(plane, BLUR, 3))]
    strength = np.sqrt(np.sum(np.square(gradients), axis=0))
    return np.asarray(
        np.minimum(strength / max(float(np.percentile(strength, STRONG_PERCENTILE)), MIN_STRONG_EDGE), 1.0)
    )


def ssim_map(first: Floats, second: Floats) -> Floats:
    """Structural similarity at each place of two planes with values in 0…1; 1 where their surroundings are equal."""

    def mean(plane: Floats) -> Floats:
        return gaussian_blur(plane, SIGMA, WINDOW // 2)

    of_first, of_second = mean(first), mean(second)
    spread = mean(first**2) - of_first**2 + mean(second**2) - of_second**2
    shared = mean(first * second) - of_first * of_second
    light = (2 * of_first * of_second + SSIM_CONSTANTS[0]) / (of_first**2 + of_second**2 + SSIM_CONSTANTS[0])
    return np.asarray(light * (2 * shared + SSIM_CONSTANTS[1]) / (spread + SSIM_CONSTANTS[1]))


@dataclass(frozen=True, slots=True)
class EdgeSimilarity:
    """How alike two layouts are, at most 1."""

    everywhere: float
    """
    The usual mean of SSIM over all pixels. Much of a picture is plain ground, where it compares faint grain with none:
    high for two unrelated pictures that are smooth, low for one picture and itself with a little grain.
    """
    at_edges: float
    """
    The mean over the places where either has edges, by their strength: what a layout is. Nothing is gained by
    emptiness, and an edge that only one of them has counts as much as one that is missing.
    """

    @classmethod
    def of(cls, first: Image, second: Image) -> EdgeSimilarity:
        """That of two pictures of one size."""
        edges = edge_map(first), edge_map(second)
        found, weight = ssim_map(*edges), np.maximum(*edges)
        return cls(float(found.mean()), float((found * weight).sum() / max(float(weight.sum()), 1e-9)))

"""
How unsteady a video is: what differs between neighbouring frames once the motion is taken out.

The motion is known (a camera's) or found in a source (`optical_flow`: Horn and Schunck's, on all three channels of
Lab, from coarse to fine), never in the video that is judged. A flow ``[H, W, 2]`` says for each pixel of the first
frame how far right and down it is in the second. Pixels that are hidden there do not count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.fidelity.evaluators.color_shape import Image, to_lab

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Video = NDArray[np.uint8]
"""``[n, H, W, 3]``."""

MIN_SIDE: Final = 16
"""Pixels of a side at the coarsest level."""
WARPS, SWEEPS = 4, 80
"""Linearisations at each level, and sweeps of the solver for each."""
SMOOTHNESS: Final = 0.002
"""Weight of the flow's smoothness; the data term's unit is a hundred Lab units per pixel, squared."""


def places(height: int, width: int) -> Floats:
    """Column and row of each pixel, ``[H, W, 2]``."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(float)


def sample_bilinear(picture: NDArray[np.generic], at: Floats) -> Floats:
    """``[H, W, C]`` at columns and rows ``[…, 2]``, bilinear; outside, the nearest pixel of the border."""
    height, width = picture.shape[:2]
    x, y = np.clip(at[..., 0], 0, width - 1), np.clip(at[..., 1], 0, height - 1)
    left, top = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    across, down = (x - left)[..., None], (y - top)[..., None]
    upper = picture[top, left] * (1 - across) + picture[top, left + 1] * across
    lower = picture[top + 1, left] * (1 - across) + picture[top + 1, left + 1] * across
    return np.asarray(upper * (1 - down) + lower * down)


def downsample(picture: Floats) -> Floats:
    """Each 2×2 pixels as one."""
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    even = picture[:height, :width]
    return np.asarray((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4)


def upsample_flow(flow: Floats, height: int, width: int) -> Floats:
    """A flow of half the size at twice the size."""
    return 2 * sample_bilinear(flow, (places(height, width) - 0.5) / 2)


def neighbor_mean(flow: Floats) -> Floats:
    """The mean of each place's four neighbours."""
    framed = np.pad(flow, ((1, 1), (1, 1), (0, 0)), mode="edge")
    return np.asarray((framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:]) / 4)


def refine_flow(first: Floats, second: Floats, flow: Floats) -> Floats:
    """One linearisation of Horn and Schunck's equations about `flow`, solved by Jacobi's sweeps."""
    moved = sample_bilinear(second, places(*first.shape[:2]) + flow)
    down, across = np.gradient((first + moved) / 2, axis=(0, 1))
    rest = moved - first - across * flow[..., :1] - down * flow[..., 1:]
    xx, xy, yy = (across**2).sum(-1) + SMOOTHNESS, (across * down).sum(-1), (down**2).sum(-1) + SMOOTHNESS
    pull = np.stack([(across * rest).sum(-1), (down * rest).sum(-1)], -1)
    scale = xx * yy - xy**2
    for _ in range(SWEEPS):
        x, y = np.moveaxis(SMOOTHNESS * neighbor_mean(flow) - pull, -1, 0)
        flow = np.stack([(yy * x - xy * y) / scale, (xx * y - xy * x) / scale], -1)
    return flow


def optical_flow(first: Image, second: Image) -> Floats:
    """How the pixels of ``[H, W, 3]`` have moved until the second picture."""
    levels = [(to_lab(first) / 100, to_lab(second) / 100)]
    while min(levels[-1][0].shape[:2]) >= 2 * MIN_SIDE:
        levels.append((downsample(levels[-1][0]), downsample(levels[-1][1])))
    flow = np.zeros((*levels[-1][0].shape[:2], 2))
    for before, after in reversed(levels):
        flow = upsample_flow(flow, *before.shape[:2]) if before.shape[:2] != flow.shape[:2] else flow
        for _ in range(WARPS):
            flow = refine_flow(before, after, flow)
    return flow


def camera_flow(height: int, width: int, *, zoom: float = 1.0, rotate: float = 0.0) -> Floats:
    """The flow of a picture magnified by `zoom` and turned by `rotate` degrees clockwise about its centre."""
    from_centre = places(height, width) - np.array([(width - 1) / 2, (height - 1) / 2])
    cos, sin = zoom * math.cos(math.radians(rotate)), zoom * math.sin(math.radians(rotate))
    x, y = from_centre[..., 0], from_centre[..., 1]
    return np.stack([cos * x - sin * y - x, sin * x + cos * y - y], -1)


def inside_mask(flow: Floats) -> Mask:
    """Which pixels are still in the picture."""
    height, width = flow.shape[:2]
    at = places(height, width) + flow
    return np.asarray(((at >= 0) & (at <= np.array([width - 1, height - 1]))).all(-1))


def visible_mask(forward: Floats, backward: Floats) -> Mask:
    """Which pixels of the first picture are seen in the second: those that the way back leads home (Sundaram 2010)."""
    back = sample_bilinear(backward, places(*forward.shape[:2]) + forward)
    gap = np.square(forward + back).sum(-1)
    allowed = 0.01 * (np.square(forward) + np.square(back)).sum(-1) + 0.5
    return np.asarray(inside_mask(forward) & (gap <= allowed))


def warped_difference(first: Image, second: Image, *, flow: Floats, visible: Mask) -> float:
    """Mean absolute difference of the first picture and the second brought back onto it, in levels of 0…255."""
    back = sample_bilinear(second, places(*first.shape[:2]) + flow)
    return float(np.abs(first.astype(float) - back)[visible].mean())


Steps = Sequence[tuple[Floats, Mask]]
"""From each frame of a video to the next: the flow, and which pixels are seen in both."""


def source_steps(frames: Sequence[Image] | Video) -> list[tuple[Floats, Mask]]:
    """The steps of a source, found by `optical_flow` there and back."""
    steps = []
    for first, second in pairwise(frames):
        forward, backward = optical_flow(first, second), optical_flow(second, first)
        steps.append((forward, visible_mask(forward, backward)))
    return steps


def camera_steps(count: int, *, size: tuple[int, int], zoom: float, rotate: float) -> list[tuple[Floats, Mask]]:
    """`count` equal steps of a camera; `size` is height and width."""
    flow = camera_flow(*size, zoom=zoom, rotate=rotate)
    return [(flow, inside_mask(flow))] * count


def flicker(frames: Sequence[Image] | Video, steps: Steps) -> float:
    """The mean of the warped differences of a video's neighbouring frames."""
    pairs = zip(pairwise(frames), steps, strict=True)
    return float(np.mean([warped_difference(a, b, flow=flow, visible=mask) for (a, b), (flow, mask) in pairs]))

"""The latent smoother: golden vectors of the original's causal averages, and ours, which looks both ways."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from videojob_runner.engines.vqgan_clip.video.smoother import AveragingWindow, Smoother, SmootherConfig

POWERS = [float(2**k) for k in range(1, 11)]


def latent(value: float) -> Tensor:
    return torch.full((1, 2, 1, 1), value, dtype=torch.float64)


def smoothed(values: list[float], smoothing: SmootherConfig) -> dict[int, float]:
    """The frames that come out, by number."""
    smoother = Smoother(smoothing, frames=len(values))
    return {frame: float(z[0, 0, 0, 0]) for value in values for frame, z in smoother.push(latent(value))}


@pytest.mark.parametrize(
    ("length", "alpha", "weights"),
    [
        (3, 0.5, [0.25, 0.5, 0.25]),
        (3, 0.7, [0.1875, 0.625, 0.1875]),
        (5, 0.5, [0.1, 0.2, 0.4, 0.2, 0.1]),
        (5, 0.9, [0.008197, 0.081967, 0.819672, 0.081967, 0.008197]),
        (7, 0.7, [0.014722, 0.049073, 0.163577, 0.545256, 0.163577, 0.049073, 0.014722]),
        (3, 0.0, [1 / 3, 1 / 3, 1 / 3]),
        (3, 1.0, [0, 1, 0]),
    ],
)
def test_the_weights_fall_off_on_both_sides(length: int, alpha: float, weights: list[float]) -> None:
    """§4.5, and by hand."""
    away = range(-(length // 2), length // 2 + 1)
    assert SmootherConfig(alpha=alpha).weights(away) == pytest.approx(weights, abs=1e-6)


@pytest.mark.parametrize(
    ("causal", "length", "alpha", "expected"),
    [
        ("weighted", 3, 0.7, [2, 4, 4.375, 8.75, 17.5, 35, 70, 140, 280, 560]),
        ("weighted", 5, 0.7, [2, 4, 4.375, 8.75, 9.5843, 19.1685, 38.3371, 76.6742, 153.3483, 306.6966]),
        ("weighted", 5, 0.9, [2, 4, 4.1667, 8.3333, 8.4754, 16.9508, 33.9016, 67.8033, 135.6066, 271.2131]),
        ("mean", 3, 0.7, [2, 3, 4.6667, 9.3333, 18.6667, 37.3333, 74.6667, 149.3333, 298.6667, 597.3333]),
        ("mean", 5, 0.7, [2, 3, 4.6667, 7.5, 12.4, 24.8, 49.6, 99.2, 198.4, 396.8]),
    ],
)
def test_the_causal_averages_are_the_original_s(
    causal: Literal["mean", "weighted"], length: int, alpha: float, expected: list[float]
) -> None:
    """§11.6."""
    shown = smoothed(POWERS, SmootherConfig(length=length, alpha=alpha, causal=causal))
    assert list(shown) == list(range(10))
    assert list(shown.values()) == pytest.approx(expected, abs=5e-5)


def test_our_average_looks_as_far_ahead_as_back_and_less_far_at_the_ends() -> None:
    shown = smoothed([1.0, 0.0, 0.0, 10.0, 0.0, 0.0, 100.0], SmootherConfig(length=5, alpha=0.5))
    by_hand = [1, 0.25, 0.1 * 0 + 0.2 * 10 + 0.1 * 1, 0.4 * 10, 0.2 * 10 + 0.1 * 100, 0.25 * 100, 100]
    assert list(shown.values()) == pytest.approx(by_hand)


def test_what_rises_evenly_neither_lags_nor_stutters() -> None:
    line = [3.0 * k for k in range(12)]
    for length in (3, 5, 9, 99):
        assert list(smoothed(line, SmootherConfig(length=length)).values()) == pytest.approx(line)


@given(frames=st.integers(1, 30), radius=st.integers(0, 20), even=st.booleans())
def test_every_frame_comes_out_once_in_order_and_none_is_left_at_the_end(frames: int, radius: int, even: bool) -> None:
    near = AveragingWindow(frames=frames, radius=radius, symmetric=even)
    assert [frame for newest in range(frames) for frame in near.ready_frames(newest)] == list(range(frames))


def test_neighbours_that_can_be_carried_are_averaged_where_the_frame_has_their_things() -> None:
    """A thing that goes up by 3 from frame to frame, and one frame whose thing is 1 too high."""
    smoother = Smoother(
        SmootherConfig(length=3, alpha=0.5), frames=4, warp=lambda z, source, frame: z + 3 * (frame - source)
    )
    shown = [(frame, float(z[0, 0, 0, 0])) for value in (0, 3, 7, 9) for frame, z in smoother.push(latent(value))]
    by_hand = [
        0 * 2 / 3 + (3 - 3) / 3,
        (0 + 3 + 2 * 3 + (7 - 3)) / 4,
        (3 + 3 + 2 * 7 + (9 - 3)) / 4,
        9 * 2 / 3 + 10 / 3,
    ]
    assert [frame for frame, _ in shown] == [0, 1, 2, 3]
    assert [value for _, value in shown] == pytest.approx(by_hand)


def test_without_smoothing_a_latent_comes_back_at_once_to_the_bit_and_as_a_copy() -> None:
    smoother, z = Smoother(SmootherConfig(), frames=2), torch.randn(1, 2, 3, 3)
    [(frame, shown)] = smoother.push(z)
    assert frame == 0
    assert torch.equal(shown, z)
    z.zero_()
    assert shown.abs().sum() > 0, "the optimiser goes on with z in place"


@given(stop=st.integers(0, 9), length=st.sampled_from([1, 3, 5, 7]), causal=st.sampled_from([None, "mean", "weighted"]))
def test_a_smoother_that_was_written_down_goes_on_as_if_nothing_had_been(
    stop: int, length: int, causal: Literal["mean", "weighted"] | None
) -> None:
    smoothing = SmootherConfig(length=length, causal=causal)
    first, second = Smoother(smoothing, frames=10), Smoother(smoothing, frames=10)
    shown = {frame: z for value in POWERS[:stop] for frame, z in first.push(latent(value))}
    second.load_state_dict(first.state_dict(), device="cpu")
    shown |= {frame: z for value in POWERS[stop:] for frame, z in second.push(latent(value))}
    assert {frame: float(z[0, 0, 0, 0]) for frame, z in shown.items()} == smoothed(POWERS, smoothing)

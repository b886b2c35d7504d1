"""The cutouts' resampling against the golden vectors of the specification (vqgan-clip §11.4)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from videojob_runner.engines.vqgan_clip.resample import Resampler, lanczos_kernel, resampling_matrix


def ramp(side: int) -> Tensor:
    return torch.arange(side**2, dtype=torch.float64).view(side, side) / (side**2 - 1)


def test_the_kernel_of_one_half() -> None:
    expected = [-0.0315433, 0, 0.2838898, 0.4953071, 0.2838898, 0, -0.0315433]
    assert lanczos_kernel(0.5).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("ratio", "length", "end", "centre"),
    [
        (7 / 8, 5, -0.0153974, 0.8599404),
        (7 / 15, 9, -0.0022709, 0.4617451),
        (7 / 16, 9, -0.0077585, 0.4333113),
    ],
)
def test_the_kernels_of_other_ratios(ratio: float, length: int, end: float, centre: float) -> None:
    kernel = lanczos_kernel(ratio)
    assert len(kernel) == length
    assert float(kernel.sum()) == pytest.approx(1)
    assert [float(kernel[0]), float(kernel[length // 2])] == pytest.approx([end, centre], abs=1e-6)


def test_three_quarters_need_five_taps() -> None:
    assert len(lanczos_kernel(0.75)) == 5


def test_enlarging_a_ramp() -> None:
    m = resampling_matrix(4, 6)
    expected = [0, 0.0336, 0.0832, 0.1168, 0.1664, 0.2]
    assert (m @ ramp(4) @ m.t())[0].tolist() == pytest.approx(expected, abs=1e-4)


def test_reducing_a_ramp() -> None:
    m = resampling_matrix(8, 4)
    expected = [
        [0.054074, 0.085116, 0.122127, 0.153169],
        [0.302409, 0.333451, 0.370462, 0.401503],
        [0.598496, 0.629539, 0.666549, 0.697591],
        [0.846831, 0.877873, 0.914884, 0.945926],
    ]
    assert torch.allclose(m @ ramp(8) @ m.t(), torch.tensor(expected, dtype=torch.float64), atol=1e-5)


def test_the_same_size_is_exactly_the_identity() -> None:
    assert torch.equal(resampling_matrix(9, 9), torch.eye(9, dtype=torch.float64))


def test_a_black_and_white_edge_overshoots_as_the_specification_says() -> None:
    reduced = resampling_matrix(448, 224) @ (torch.arange(448) >= 224).double()
    assert [float(reduced.min()), float(reduced.max())] == pytest.approx([-0.0155, 1.0155], abs=1e-4)


def test_a_batch_of_crops_is_each_crop_cut_out_and_resampled_alone() -> None:
    picture = torch.rand(1, 3, 20, 31, generator=torch.Generator().manual_seed(1))
    boxes = torch.tensor([[0, 0, 20], [11, 3, 16], [5, 4, 8]])
    crops = Resampler(8).crops(picture, boxes)
    for (x, y, side), crop in zip(boxes.tolist(), crops, strict=True):
        m = resampling_matrix(side, 8).float()
        alone = m @ picture[0, :, y : y + side, x : x + side] @ m.t()
        assert torch.allclose(crop, alone, atol=1e-6)


def test_every_pixel_of_a_crop_gets_its_gradient() -> None:
    picture = torch.rand(1, 3, 12, 12, requires_grad=True)
    torch.autograd.backward(Resampler(8).crops(picture, torch.tensor([[2, 2, 10]])).sum())
    assert picture.grad is not None
    assert bool((picture.grad[..., 2:, 2:] != 0).all())
    assert bool((picture.grad[..., :2, :] == 0).all())

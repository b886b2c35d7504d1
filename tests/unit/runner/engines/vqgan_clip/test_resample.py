"""The cutouts' resampling against the golden vectors of the specification (vqgan-clip §11.4)."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions, draw_crop_boxes
from videojob_runner.engines.vqgan_clip.cutouts.resample import (
    Resampler,
    lanczos_kernel,
    pooling_matrix,
    resampling_matrix,
)


def ramp(side: int) -> Tensor:
    return torch.arange(float(side**2)).view(side, side) / (side**2 - 1)


def test_the_kernel_of_one_half() -> None:
    expected = [-0.0315433, 0, 0.2838898, 0.4953071, 0.2838898, 0, -0.0315433]
    assert lanczos_kernel(0.5).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("ratio", "length", "end", "centre"),
    [
        (0.875, 5, -0.0153974, 0.8599404),
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
    assert torch.allclose(m @ ramp(8) @ m.t(), torch.tensor(expected), atol=1e-5)


def test_the_same_size_is_exactly_the_identity() -> None:
    assert torch.equal(resampling_matrix(9, 9), torch.eye(9))


def test_a_black_and_white_edge_overshoots_as_the_specification_says() -> None:
    reduced = resampling_matrix(448, 224) @ (torch.arange(448) >= 224).float()
    assert [float(reduced.min()), float(reduced.max())] == pytest.approx([-0.0155, 1.0155], abs=1e-4)


def test_a_batch_of_crops_is_each_crop_cut_out_and_resampled_alone() -> None:
    picture = torch.rand(1, 3, 20, 31, generator=torch.Generator().manual_seed(1))
    boxes = torch.tensor([[0, 0, 20], [11, 3, 16], [5, 4, 8]])
    crops = Resampler(8).crop(picture, boxes)
    for (x, y, side), crop in zip(boxes.tolist(), crops, strict=True):
        m = resampling_matrix(side, 8)
        alone = m @ picture[0, :, y : y + side, x : x + side] @ m.t()
        assert torch.allclose(crop, alone, atol=1e-6)


def test_every_pixel_of_a_crop_gets_its_gradient() -> None:
    picture = torch.rand(1, 3, 12, 12, requires_grad=True)
    torch.autograd.backward(Resampler(8).crop(picture, torch.tensor([[2, 2, 10]])).sum())
    assert picture.grad is not None
    assert bool((picture.grad[..., 2:, 2:] != 0).all())
    assert bool((picture.grad[..., :2, :] == 0).all())


def resampled_in_the_plain_way(crop: Tensor, target: int) -> Tensor:
    """§2.9.2 word for word, one crop ``[1, 3, s, s]`` at a time, in float32: low-pass along H and W, then bicubic."""
    side = crop.shape[-1]
    if target < side:
        ratio = target / side
        taps = [t * ratio for t in range(1, math.ceil(2 / ratio + 1) - 1)]
        half = [
            2 * math.sin(math.pi * t) * math.sin(math.pi * t / 2) / (math.pi * t) ** 2 if t < 2 else 0 for t in taps
        ]
        kernel = torch.tensor([*reversed(half), 1.0, *half])
        kernel = kernel / kernel.sum()
        border = len(kernel) // 2
        planes = crop.transpose(0, 1)
        planes = nnf.conv2d(nnf.pad(planes, (0, 0, border, border), "reflect"), kernel.view(1, 1, -1, 1))
        planes = nnf.conv2d(nnf.pad(planes, (border, border, 0, 0), "reflect"), kernel.view(1, 1, 1, -1))
        crop = planes.transpose(0, 1)
    return nnf.interpolate(crop, size=(target, target), mode="bicubic", align_corners=True)


def test_a_batch_of_crops_equals_the_reference_form_to_five_ten_millionths() -> None:
    """§9.3."""
    draws = torch.Generator().manual_seed(1)
    picture = torch.rand(1, 3, 120, 200, generator=draws)
    boxes = draw_crop_boxes(CutoutOptions(count=32), size=(200, 120), target=32, generator=draws)
    boxes[0] = torch.tensor([5, 7, 16])  # one that is enlarged
    crops = Resampler(32).crop(picture, boxes)
    cut = [picture[..., y : y + side, x : x + side] for x, y, side in boxes.tolist()]
    plain = [resampled_in_the_plain_way(crop, 32) for crop in cut]
    assert float((crops - torch.cat(plain)).abs().max()) <= 5e-7


def test_pooling_three_to_five() -> None:
    """§11.4."""
    assert (pooling_matrix(3, 5) @ torch.tensor([0.0, 1, 2])).tolist() == [0, 0.5, 1, 1.5, 2]

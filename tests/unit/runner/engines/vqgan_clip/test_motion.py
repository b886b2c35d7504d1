"""Where things have moved between two pictures, and what is carried along with them: known shifts, and by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from videojob_runner.engines.vqgan_clip.video.motion import SEARCH_RADIUS, SUBCELL_STEPS, estimate_motion, warp

CELLS = (8, 12)


def noise(seed: int = 0, *, factor: int = SUBCELL_STEPS) -> Tensor:
    """A picture of independent pixels, of `factor` pixels for each cell."""
    height, width = (side * factor for side in CELLS)
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("right", "down"),
    [(0, 0), (1, 0), (0, -3), (-5, 2), (SEARCH_RADIUS * SUBCELL_STEPS, -SEARCH_RADIUS * SUBCELL_STEPS)],
)
def test_a_picture_that_has_moved_as_a_whole_is_found_where_it_was_in_quarters_of_a_cell(right: int, down: int) -> None:
    before = noise()
    after = before.roll((down, right), (2, 3))
    inner = estimate_motion(after, before, cells=CELLS)[:, 3:-3, 3:-3]
    assert torch.equal(inner, torch.tensor((-right / SUBCELL_STEPS, -down / SUBCELL_STEPS)).expand_as(inner))


def test_a_picture_may_have_any_number_of_pixels_for_a_cell() -> None:
    before = torch.nn.functional.interpolate(noise(factor=2), scale_factor=8, mode="nearest")
    inner = estimate_motion(before.roll(16, 3), before, cells=CELLS)[:, 2:-2, 2:-2]
    assert torch.equal(inner, torch.tensor((-1.0, 0.0)).expand_as(inner))


def test_a_thing_moves_and_the_plain_ground_behind_it_stays() -> None:
    before = torch.full((1, 3, 32, 48), 0.5)
    after = before.clone()
    thing = noise()[..., :8, :8]
    before[..., 8:16, 16:24], after[..., 8:16, 20:28] = thing, thing
    found = estimate_motion(after, before, cells=CELLS)[0]
    assert found[2:4, 5:7].tolist() == [[[-1, 0], [-1, 0]], [[-1, 0], [-1, 0]]]
    assert found[:, :3].abs().sum() == found[:, 9:].abs().sum() == found[6:].abs().sum() == 0


def test_what_is_everywhere_alike_stays_in_place_through_its_grain() -> None:
    plain = [torch.full((1, 3, 32, 48), 0.5) + 0.004 * (noise(seed) - 0.5) for seed in (1, 2)]
    assert estimate_motion(*plain, cells=CELLS).abs().max() == 0


def test_cells_are_taken_from_their_offsets_between_cells_by_halves_and_at_the_border_from_the_last() -> None:
    values = torch.tensor([[1.0, 2.0, 4.0, 8.0]]).view(1, 1, 1, 4)
    along = torch.tensor([[-1.0, 0.0], [-1.0, 0.0], [0.5, 0.0], [3.0, 2.0]]).view(1, 1, 4, 2)
    assert warp(values, along).flatten().tolist() == pytest.approx([1, 1, 6, 8])


def test_what_does_not_move_keeps_its_values_but_for_rounding() -> None:
    values = torch.randn(1, 5, *CELLS)
    assert torch.allclose(warp(values, torch.zeros(1, *CELLS, 2)), values, atol=1e-5)

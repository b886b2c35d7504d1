"""Sides in the proportions of the init image (specification vqgan-clip §2.16), once and within the budget (Q-22)."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from videojob_runner.engines.vqgan_clip.settings import round_to_factor
from videojob_runner.engines.vqgan_clip.video.aspect import fit_aspect, fit_aspect_upstream
from videojob_runner.errors import BadConfig, BadInput
from videojob_runner.torch_utils.images import Size

from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, HarnessFactory, run

FACTOR = 16
TABLE: list[tuple[Size, Size, list[Size], Size, Size]] = [
    ((1920, 1080), (256, 256), [(341, 192), (339, 191), (337, 190)], (336, 192), (336, 176)),
    ((1920, 1080), (684, 384), [(682, 384), (680, 383), (679, 382)], (672, 384), (672, 368)),
    ((1920, 1080), (128, 128), [(170, 96), (168, 95), (167, 94)], (160, 96), (160, 80)),
    ((1080, 1920), (684, 384), [(384, 683), (383, 682), (383, 681)], (384, 672), (368, 672)),
    ((640, 480), (256, 256), [(294, 221), (293, 220), (292, 219)], (288, 208), (288, 208)),
    ((560, 320), (256, 256), [(337, 193), (336, 192), (336, 192)], (336, 192), (336, 192)),
]
"""Source, budget, three passes of the original, and its sizes after one pass and after three."""


@pytest.mark.parametrize(("source", "budget", "passes", "once", "thrice"), TABLE)
def test_the_original_s_passes_are_those_of_the_table(
    source: Size, budget: Size, passes: list[Size], once: Size, thrice: Size
) -> None:
    made, size = list[Size](), budget
    for _ in passes:
        size = fit_aspect_upstream(source, budget=size)
        made.append(size)
    assert made == passes
    assert (round_to_factor(made[0], FACTOR), round_to_factor(made[2], FACTOR)) == (once, thrice)


@pytest.mark.parametrize(
    ("source", "budget", "size"),
    [
        ((1920, 1080), (256, 256), (336, 192)),
        ((1920, 1080), (684, 384), (672, 384)),
        ((1080, 1920), (684, 384), (384, 672)),
        ((640, 480), (256, 256), (288, 224)),  # 1.286 is nearer to 1.333 than the original's 288×208, 1.385
        ((512, 512), (256, 256), (256, 256)),  # exact multiples are not lost to rounding
        ((300, 300), (512, 128), (256, 256)),
    ],
)
def test_q_22_ours_is_the_nearest_pair_of_multiples_within_the_budget(source: Size, budget: Size, size: Size) -> None:
    assert fit_aspect(source, budget=budget, factor=FACTOR) == size


SIDES = st.integers(1, 5000)


@given(source=st.tuples(SIDES, SIDES), budget=st.tuples(st.integers(16, 1024), st.integers(16, 1024)))
def test_q_22_it_never_exceeds_the_budget_and_is_nearer_than_its_neighbours(source: Size, budget: Size) -> None:
    size = fit_aspect(source, budget=budget, factor=FACTOR)
    if size is None:  # then one of the sides would have to be less than one position of the latent
        ideal = [math.sqrt(math.prod(budget) * a / b) for a, b in (source, source[::-1])]
        assert min(ideal) < FACTOR
        return
    assert size[0] % FACTOR == size[1] % FACTOR == 0
    assert math.prod(size) <= math.prod(budget)
    wanted = math.log(source[0] / source[1])
    rounded_down = tuple(int(math.sqrt(math.prod(budget) * a / b)) // 16 * 16 for a, b in (source, source[::-1]))
    if all(rounded_down):
        assert (
            abs(math.log(size[0] / size[1]) - wanted)
            <= abs(math.log(rounded_down[0] / rounded_down[1]) - wanted) + 1e-9
        )


@given(source=st.tuples(st.integers(100, 400), st.integers(100, 400)))
def test_q_22_it_is_nearly_its_own_fixed_point(source: Size) -> None:
    """The original loses a row with almost every pass; ours keeps what it has made."""
    size = fit_aspect(source, budget=(512, 512), factor=FACTOR)
    assert size is not None
    assert fit_aspect(size, budget=size, factor=FACTOR) == size


def shape(w: EngineHarness, source: Size, **fields: Any) -> Size:
    """Width and height of the frame that is made of an init image of `source`."""
    Image.new("RGB", source, "orange").save(w.folder / "init.png")
    image = {"prompts": "a", "iterations": 1}
    run(w, initImage="init.png", image=image, **fields)
    height, width, _ = w.frames.pixels[0].shape
    return width, height


def test_a_run_takes_the_proportions_of_its_init_image_only_when_it_is_told_to(world: HarnessFactory) -> None:
    budget: dict[str, Any] = {"width": 24, "height": 24}
    assert shape(world(), (40, 10), **budget) == (24, 24)
    assert shape(world(), (40, 10), fit="aspect", **budget) == (48, 12)
    assert shape(world(), (10, 40), fit="aspect", **budget) == (12, 48)
    # 4 pixels to a position: √(576 / 1.5) is 19, and 1.5 · 19 is 28; ours are the multiples around 29.4×19.6 that fit.
    assert shape(world(), (30, 20), fit="aspect", compat="upstream", **budget) == (28, 16)
    assert shape(world(), (30, 20), fit="aspect", **budget) == (28, 20)


def test_proportions_that_cannot_be_kept_are_refused_with_the_remedy(world: HarnessFactory) -> None:
    with pytest.raises(
        BadConfig, match=r"vqganClip\.width: 16x16 pixels are too few.*400:1.*increase width and height"
    ):
        shape(world(), (400, 1), fit="aspect")


def test_a_missing_or_broken_init_image_is_bad_input_before_anything_else(world: HarnessFactory) -> None:
    w = world()
    fields: dict[str, Any] = {"initImage": "init.png", "fit": "aspect", "image": {"prompts": "a"}}
    with pytest.raises(BadInput, match=r"initImage: there is no file 'init\.png'"):
        run(w, **fields)
    (w.folder / "init.png").write_bytes(b"not a picture")
    with pytest.raises(BadInput, match=r"initImage: 'init\.png' is not a readable image"):
        run(w, **fields)

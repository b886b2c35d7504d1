"""The quirk register (specification vqgan-clip §10), rows of the engine: what we do, what `compat: upstream` keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from torch import Tensor
from videojob_runner.engines.vqgan_clip import AugmentationOptions, RandomStreams, VqganClip, VqganClipConfig
from videojob_runner.engines.vqgan_clip.cutouts.presets import kornia_steps
from videojob_runner.errors import BadConfig, BadInput

from tests.unit.runner.engines.vqgan_clip.fakes import HarnessFactory, run

UPSTREAM = {"compat": "upstream"}
SHORT = {"prompts": "a", "iterations": 3}


@pytest.mark.parametrize("compat", [{}, UPSTREAM])
def test_q_28_empty_items_are_dropped_and_nothing_at_all_is_refused(
    world: HarnessFactory, compat: dict[str, str]
) -> None:
    plain = run(world(), image=SHORT, **compat)
    assert run(world(), image={**SHORT, "prompts": "| a ||"}, **compat).pictures() == plain.pictures()
    with pytest.raises(BadConfig, match="no valid prompts"):
        run(world(), image={**SHORT, "prompts": " | "}, **compat)


def test_q_29_paths_are_trimmed_but_not_with_compat_and_colons_in_texts_do_not_crash(world: HarnessFactory) -> None:
    w = world()
    Image.new("RGB", (8, 8), "red").save(w.folder / "red.png")
    pictures = {"imagePrompts": " red.png | red.png :0.5", "iterations": 1}
    assert run(w, image=pictures).pictures()
    with pytest.raises(BadInput, match=r"no file ' red\.png'"):
        run(w, image={**pictures, "imagePrompts": "red.png | red.png"}, **UPSTREAM)
    assert run(world(), image={**SHORT, "prompts": "note: a cat"}).pictures()
    with pytest.raises(BadConfig, match="character 6"):
        run(world(), image={**SHORT, "prompts": "note: a cat"}, **UPSTREAM)


def augmented(views: Tensor, *, upstream: bool, **options: object) -> Tensor:
    """The views after the `kornia` recipe, of which only the steps in `options` act."""
    nothing: dict[str, object] = {"flip_chance": 0.0, "turn_degrees": 0.0, "shift": (0.0, 0.0), "perspective": 0.0}
    nothing |= {"sharpness": 0.0, "jitter": 0.0}
    for step in kornia_steps(AugmentationOptions.model_validate(nothing | options), upstream=upstream):
        views = step(views, RandomStreams.from_seed(2))
    return views


def test_q_35_the_original_shifts_up_and_down_only() -> None:
    options: dict[str, Any] = {"shift": (0.2, 0.2), "affine_chance": 1.0}
    columns = torch.arange(16.0).expand(100, 3, 16, 16) / 16
    ours, theirs = (augmented(columns, upstream=upstream, **options) for upstream in (False, True))
    assert torch.allclose(theirs, columns, atol=1e-4)
    assert not torch.allclose(ours, columns, atol=0.05)
    rows = columns.mT
    assert not torch.allclose(augmented(rows, upstream=True, **options), rows, atol=0.05)


def test_q_36_the_original_s_sharpness_blurs_and_ours_sharpens() -> None:
    options: dict[str, Any] = {"sharpness": 0.3, "sharpness_chance": 1.0}
    edge = torch.full((50, 3, 16, 16), 0.3)
    edge[..., 8:] = 0.7
    ours, theirs = (augmented(edge, upstream=upstream, **options) for upstream in (False, True))
    contrast = [(views[:, 0, 8, 8] - views[:, 0, 8, 7]) for views in (edge, ours, theirs)]
    assert bool((contrast[1] >= contrast[0] - 1e-6).all())
    assert float(contrast[1].max()) > 0.45
    # Fully blurred, 3 of 13 parts come from the other side: 0.4·(1 − 6/13); 30 % of the rest may be left.
    assert float(contrast[2].min()) == pytest.approx(0.4 * (1 - 6 / 13), abs=0.01)
    assert float(contrast[2].max()) < 0.4 * (1 - 6 / 13 * 0.7) + 1e-6


def test_q_36_the_original_s_perspective_darkens_borders_and_ours_does_not() -> None:
    options: dict[str, Any] = {"perspective": 0.5, "perspective_chance": 1.0}
    white = torch.ones(20, 3, 16, 16)
    assert torch.allclose(augmented(white, upstream=False, **options), white, atol=1e-5)
    theirs = augmented(white, upstream=True, **options)
    assert float(theirs[:, :, 0].mean()) < 0.6
    assert float(theirs[:, :, 8, 8].mean()) > 0.95


def test_q_21_a_run_leaves_its_configuration_as_it_was_and_nothing_leaks_into_the_next(world: HarnessFactory) -> None:
    config = VqganClipConfig.model_validate({"width": 24, "height": 17, "image": SHORT})
    before = config.model_dump_json()
    first, second, third = world(seed=1), world(seed=1), world(seed=2)
    for w in (first, third, second):
        VqganClip().run(config, w.context())
    assert config.model_dump_json() == before
    assert config.seed is None
    assert first.pictures() == second.pictures()
    assert first.pictures() != third.pictures()
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 3  # type: ignore[misc]


def test_q_26_an_init_image_leaves_the_init_weight_of_the_configuration(world: HarnessFactory) -> None:
    shown = []
    for weight in ({}, {"initWeight": 1000}):
        w = world()
        Image.linear_gradient("L").save(w.folder / "seed.png")
        shown.append(run(w, initImage="seed.png", image={**SHORT, "iterations": 8}, **weight).pictures())
    assert shown[0] != shown[1]


def test_cudnn_repeats_itself_during_a_deterministic_run_only(world: HarnessFactory) -> None:
    def seen(**fields: Any) -> set[bool]:
        w, states = world(), set[bool]()
        context = replace(w.context(), progress=lambda *_, **__: states.add(torch.backends.cudnn.deterministic))
        config = VqganClipConfig.model_validate({"width": 16, "height": 16, "image": SHORT, **fields})
        VqganClip().run(config, context)
        return states

    assert (seen(), seen(deterministic=True)) == ({False}, {True})
    assert not torch.backends.cudnn.deterministic

"""The quirk register (specification vqgan-clip §10), rows of the engine: what we do, what `compat: upstream` keeps."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image
from videojob_runner.contract.errors import BadConfig, BadInput
from videojob_runner.engines.vqgan_clip import VqganClip, VqganClipConfig

from tests.unit.runner.engines.vqgan_clip_fakes import World, Worlds

UPSTREAM = {"compat": "upstream"}
SHORT = {"prompts": "a", "iterations": 3}


def run(w: World, **fields: Any) -> World:
    config = VqganClipConfig.model_validate({"width": 16, "height": 16, "learningRate": 0.5, **fields})
    VqganClip().run(config, w.context())
    return w


@pytest.mark.parametrize("compat", [{}, UPSTREAM])
def test_q_28_empty_items_are_dropped_and_nothing_at_all_is_refused(world: Worlds, compat: dict[str, str]) -> None:
    plain = run(world(), image=SHORT, **compat)
    assert run(world(), image={**SHORT, "prompts": "| a ||"}, **compat).pictures() == plain.pictures()
    with pytest.raises(BadConfig, match="no valid prompts"):
        run(world(), image={**SHORT, "prompts": " | "}, **compat)


def test_q_29_paths_are_trimmed_but_not_with_compat_and_colons_in_texts_do_not_crash(world: Worlds) -> None:
    w = world()
    Image.new("RGB", (8, 8), "red").save(w.folder / "red.png")
    pictures = {"imagePrompts": " red.png | red.png :0.5", "iterations": 1}
    assert run(w, image=pictures).pictures()
    with pytest.raises(BadInput, match=r"no file ' red\.png'"):
        run(w, image={**pictures, "imagePrompts": "red.png | red.png"}, **UPSTREAM)
    assert run(world(), image={**SHORT, "prompts": "note: a cat"}).pictures()
    with pytest.raises(BadConfig, match="character 6"):
        run(world(), image={**SHORT, "prompts": "note: a cat"}, **UPSTREAM)

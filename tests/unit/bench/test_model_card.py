"""The model card's bench takes an hour, so what it has made outlives it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.model_card import CardRun
from tests.fidelity.batch_guidance import Pictures


def test_pictures_that_an_earlier_run_has_made_are_not_made_again(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> Pictures:
        made.append(1)
        return np.random.default_rng(len(made)).integers(0, 256, (5, 64, 64, 3), np.uint8)

    bench = CardRun(prompts=5, seeds=1, iterations=1, folder=tmp_path / "card")
    first, again, other = bench.cached("2000-0", make), bench.cached("2000-0", make), bench.cached("2001-0", make)
    assert first.shape == (5, 64, 64, 3)
    assert np.array_equal(first, np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), np.uint8))
    assert np.array_equal(again, first) and not np.array_equal(other, first)
    assert len(made) == 2

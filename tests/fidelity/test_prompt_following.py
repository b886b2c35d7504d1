"""
Text steers the picture: 24 prompts through the runner's engine and the shipped packs, judged by a model that shares
nothing with them.

The gates lie below the model card by the width of a 24-prompt interval, so that a true pack does not fail by luck.
They are never lowered; the pack is improved. Three controls must fail, else the test measures nothing.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from packs.shapes import renderer, vocabulary
from tests.fidelity.batch_guidance import LoadedPacks, Pictures
from tests.fidelity.classifier import ShapeClassifier
from tests.fidelity.evaluators import color_shape
from tests.fidelity.prompts import Scores, draw_prompts, shuffle_prompts

pytestmark = pytest.mark.fidelity
PROMPTS = draw_prompts(24, seed=101)


@pytest.fixture(scope="module", autouse=True)
def two_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture(scope="module")
def packs() -> LoadedPacks:
    return LoadedPacks.load()


@pytest.fixture(scope="module")
def pictures(packs: LoadedPacks) -> Pictures:
    return packs.generate([ask.prompt() for ask in PROMPTS], iterations=150, seed=1)


def training_scenes(count: int) -> tuple[Pictures, list[tuple[str, str, str]]]:
    """Plain single objects of the packs' own renderer, which the judge has never seen, at 64×64."""
    rng = np.random.default_rng(5)
    images: list[Pictures] = []
    truths: list[tuple[str, str, str]] = []
    while len(images) < count:
        row = renderer.sample_row(rng)
        if row[vocabulary.COUNT] == 1 and row[vocabulary.STYLE] == 0:
            images.append(renderer.draw(row, rng))
            shape, colour, background = (int(value) for value in row[:3])
            truths.append((vocabulary.SHAPES[shape], vocabulary.COLOURS[colour], vocabulary.BACKGROUNDS[background]))
    return np.stack(images), truths


def test_the_judge_is_right_on_pictures_from_another_renderer_than_its_own(judge: ShapeClassifier) -> None:
    images, truths = training_scenes(400)
    seen = [(verdict.shape, verdict.colour, verdict.background) for verdict in judge.verdicts(images)]
    right = (np.array(seen) == np.array(truths)).mean(axis=0)
    assert right.min() >= 0.95, f"shape, colour, background right: {right}"


def test_pictures_follow_their_prompts(judge: ShapeClassifier, pictures: Pictures) -> None:
    scores = Scores.of(PROMPTS, judge.verdicts(pictures))
    print(scores)
    assert scores.below_threshold() == {}


def test_the_classical_judge_agrees(pictures: Pictures) -> None:
    scores = Scores.of(PROMPTS, [color_shape.classify(picture) for picture in pictures])
    assert scores.colour.value >= 0.80 and scores.background.value >= 0.88  # its shapes are for clean outlines only


def test_pictures_do_not_follow_the_prompts_of_others(judge: ShapeClassifier, pictures: Pictures) -> None:
    assert Scores.of(shuffle_prompts(PROMPTS), judge.verdicts(pictures)).everything.value <= 0.10


def test_the_start_shows_nothing_of_what_is_asked(judge: ShapeClassifier, packs: LoadedPacks) -> None:
    start = packs.generate([ask.prompt() for ask in PROMPTS], iterations=0, seed=1)
    assert Scores.of(PROMPTS, judge.verdicts(start)).everything.value == 0


def test_a_clip_that_has_learnt_nothing_steers_nowhere(judge: ShapeClassifier, packs: LoadedPacks) -> None:
    blank = packs.with_blank_perceptor()
    seen = judge.verdicts(blank.generate([ask.prompt() for ask in PROMPTS], iterations=40, seed=1))
    assert Scores.of(PROMPTS, seen).everything.value <= 0.05


def test_a_negative_weight_keeps_the_colour_away(judge: ShapeClassifier, packs: LoadedPacks) -> None:
    avoided = PROMPTS[:12]
    seen = judge.verdicts(packs.generate([f"{ask.prompt()}:-1" for ask in avoided], iterations=60, seed=1))
    assert Scores.of(avoided, seen).colour.value <= 0.10

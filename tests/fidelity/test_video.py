"""
Text steers a video and goes on to steer it when the prompt changes, and the smoother calms what lies between.

Sixteen videos of two phrases each, at the settings of the example, whose camera draws back and turns. The gates of
prompts are those of a picture (specification model-pack §10), for each half where it ends: the second phrase has fewer
iterations, and begins with a picture that shows another thing in other colours. Unsteadiness is what is left between
neighbouring frames of one half after the camera's own motion is taken out.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.fidelity.batch_guidance import Pictures
from tests.fidelity.classifier import ShapeClassifier
from tests.fidelity.confidence import classifier_confidence
from tests.fidelity.evaluators.temporal_stability import camera_steps, flicker
from tests.fidelity.example_settings import changed, fields_of
from tests.fidelity.parallel_renders import RenderCall, render_all
from tests.fidelity.prompts import PromptCase, Scores, draw_prompts

pytestmark = pytest.mark.fidelity
FIRST, SECOND = draw_prompts(16, seed=102), draw_prompts(17, seed=103)[1:]
"""What the two halves of each video are to show: always two different shapes."""
EXAMPLE = fields_of("video")
HALF = EXAMPLE["video"]["changePromptsOnFrame"][0] - 1
"""Frames before the change."""
SMOOTHED = 4
"""How many of the videos are made with the example's smoother too."""


def videos(count: int, **form: object) -> list[Pictures]:
    """The first of the videos, with fields of the form changed."""
    prompts = [f"{first.prompt()} ^ {second.prompt()}" for first, second in zip(FIRST, SECOND, strict=True)]
    fields = [changed(EXAMPLE, seed=seed, prompts=text, **form) for seed, text in enumerate(prompts[:count])]
    return render_all([RenderCall(each) for each in fields])


@pytest.fixture(scope="module")
def plain() -> list[Pictures]:
    """Every frame as it was trained."""
    return videos(len(FIRST), smoother=None)


@pytest.fixture(scope="module")
def smooth() -> list[Pictures]:
    """Some of them, shown as averages of the same frames with their neighbours."""
    return videos(SMOOTHED)


def ends_of_halves(made: list[Pictures]) -> list[tuple[list[PromptCase], Pictures]]:
    """For each half what was asked of the videos, and their last frames of it."""
    return [(FIRST, np.stack([video[HALF - 1] for video in made])), (SECOND, np.stack([video[-1] for video in made]))]


def unsteadiness_of(video: Pictures) -> float:
    """That of both halves; where the prompt changes, the picture is to change."""
    camera = {name: float(EXAMPLE["video"][name]) for name in ("zoom", "rotate")}
    halves = (video[:HALF], video[HALF:])
    return float(np.mean([flicker(half, camera_steps(len(half) - 1, size=(64, 64), **camera)) for half in halves]))


def scored(judge: ShapeClassifier, made: list[Pictures]) -> float:
    """How sure the judge is of all frames, in the mean."""
    pairs = list(zip(made, FIRST, SECOND, strict=False))
    found = [
        classifier_confidence(judge, part, ask) for v, a, b in pairs for part, ask in ((v[:HALF], a), (v[HALF:], b))
    ]
    return float(np.concatenate(found).mean())


def test_both_halves_of_a_video_follow_their_prompts(judge: ShapeClassifier, plain: list[Pictures]) -> None:
    for asked, pictures in ends_of_halves(plain):
        found = Scores.of(asked, judge.verdicts(pictures))
        print(found)
        assert found.below_threshold() == {}


def test_neither_half_shows_what_the_other_is_asked_for(judge: ShapeClassifier, plain: list[Pictures]) -> None:
    (first, early), (second, late) = ends_of_halves(plain)
    assert Scores.of(second, judge.verdicts(early)).everything.value <= 0.10
    assert Scores.of(first, judge.verdicts(late)).everything.value <= 0.10


def test_the_smoother_takes_three_tenths_of_the_unsteadiness_and_hardly_any_of_the_prompt(
    judge: ShapeClassifier, plain: list[Pictures], smooth: list[Pictures]
) -> None:
    ratios = [unsteadiness_of(calm) / unsteadiness_of(raw) for calm, raw in zip(smooth, plain, strict=False)]
    before, after = scored(judge, plain[:SMOOTHED]), scored(judge, smooth)
    print(ratios, np.mean(ratios), before, after)
    assert np.mean(ratios) <= 0.7
    assert after >= 0.95 * before

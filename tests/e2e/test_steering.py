"""Text steers the picture: one prompt for each half of a video, judged by hue and contour, without any weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.kube import has_succeeded
from tests.e2e.lab import Lab, Run
from tests.e2e.manifests import steered
from tests.judges.classical import Verdict, judge

FRAMES = 10


@pytest.fixture(scope="module")
def run(lab: Lab) -> Run:
    """A real video with the shapes packs."""
    return lab.watch(steered(), timeout=400)


def verdict_of(run: Run, frame: int) -> Verdict:
    """What the judge sees on one frame."""
    path: Path = sorted((run.folder / "frames").glob("*.png"))[frame]
    with Image.open(path) as picture:
        return judge(np.asarray(picture.convert("RGB")))


def test_the_video_is_made(run: Run) -> None:
    assert has_succeeded(run.end), run.end["status"]
    assert run.end["status"]["progress"]["frames"] == f"{FRAMES}/{FRAMES}"


@pytest.mark.parametrize(
    ("frame", "colour", "background"),
    [(FRAMES // 2 - 1, "red", "white"), (FRAMES - 1, "blue", "yellow")],
    ids=["the end of the first half", "the end of the second half"],
)
def test_each_half_shows_what_its_prompt_asks_for(run: Run, frame: int, colour: str, background: str) -> None:
    seen = verdict_of(run, frame)
    assert (seen.colour, seen.background) == (colour, background)

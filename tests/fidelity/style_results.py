"""What style transfers of clips have kept of their sources, what they show, and how steady they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.fidelity.batch_guidance import Pictures
from tests.fidelity.classifier import ShapeClassifier
from tests.fidelity.confidence import classifier_confidence
from tests.fidelity.evaluators.edge_ssim import EdgeSimilarity
from tests.fidelity.evaluators.temporal_stability import flicker, source_steps
from tests.fidelity.example_settings import changed, fields_of
from tests.fidelity.parallel_renders import RenderCall, render_all
from tests.fidelity.prompts import PromptCase
from tests.fidelity.source_clips import SourceClip

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StyleResults:
    """Clips, and the frames that became of each."""

    clips: Sequence[SourceClip]
    frames: Sequence[Pictures]

    def first(self, count: int) -> StyleResults:
        """Some of them."""
        return StyleResults(self.clips[:count], self.frames[:count])

    def asked(self) -> list[PromptCase]:
        """What each frame is to show, clip after clip."""
        return [clip.ask for clip, frames in zip(self.clips, self.frames, strict=True) for _ in frames]

    def pictures(self) -> Pictures:
        """All frames in that order."""
        return np.concatenate(self.frames)

    def kept(self, *, away: int = 0) -> list[EdgeSimilarity]:
        """The likeness of each frame to its source; with `away`, to the same frame of the clip so many places on."""
        sources = [clip.sized() for clip in self.clips]
        pairs = [
            (frame, source)
            for place, frames in enumerate(self.frames)
            for frame, source in zip(frames, sources[(place + away) % len(sources)], strict=False)  # or fewer frames
        ]
        return [EdgeSimilarity.of(frame, source) for frame, source in pairs]

    def unrelated(self) -> list[EdgeSimilarity]:
        """The likeness of each frame to the same frame of every other clip."""
        return [likeness for away in range(1, len(self.clips)) for likeness in self.kept(away=away)]

    def scored(self, judge: ShapeClassifier) -> Floats:
        """For each clip how sure the judge is that it shows what was asked for, in the mean of its frames."""
        pairs = zip(self.clips, self.frames, strict=True)
        return np.array([classifier_confidence(judge, frames, clip.ask).mean() for clip, frames in pairs])

    def unsteadiness(self) -> Floats:
        """For each clip the differences between its frames that its source's motion does not explain, in levels."""
        pairs = zip(self.clips, self.frames, strict=True)
        return np.array([flicker(frames, source_steps(clip.sized())) for clip, frames in pairs])


def mean_likeness(found: Sequence[EdgeSimilarity]) -> EdgeSimilarity:
    """Their mean."""
    return EdgeSimilarity(
        float(np.mean([each.everywhere for each in found])), float(np.mean([each.at_edges for each in found]))
    )


SOURCE_KEEPING: Final = {
    "iterationsForFirstFrame": 180,
    "iterationsPerFrame": 18,
    "sourceWeight": None,
    "sourceLayoutWeight": 15,
    "start": "gray",
}
"""What docs/vqgan-clip.md says of a transfer into other colours with the shapes packs; the rest is the example's."""
CUTS: Final = 16
"""And of its cutouts."""


def jobs(clips: Sequence[SourceClip], inputs: Path, **form: Any) -> list[RenderCall]:
    """A transfer of each clip whose layout is held, but for the fields given."""
    fields = fields_of("style-transfer")
    made = []
    for clip in clips:
        asked: dict[str, Any] = {"source": clip.write(inputs), "prompts": clip.ask.prompt(), **SOURCE_KEEPING, **form}
        made.append(RenderCall({**changed(fields, seed=clip.seed, **asked), "cuts": CUTS}, inputs))
    return made


def run_style_transfers(clips: Sequence[SourceClip], inputs: Path, **form: Any) -> StyleResults:
    """The transfers of `jobs`."""
    return StyleResults(clips, render_all(jobs(clips, inputs, **form)))

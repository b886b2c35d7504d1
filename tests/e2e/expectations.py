"""What a manifest promises, worked out from its text alone: frames, film, rate, size, and what shall be seen where."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from tests.e2e.kube import Manifest

PLAIN = re.compile(r"an? (?P<colour>\w+) \w+ on an? (?P<background>\w+) background")
"""The prompts of which a judge without weights can say whether they were followed."""


@dataclass(frozen=True)
class ExpectedColors:
    """What the frame `frame` (0-based) shall show."""

    frame: int
    colour: str
    background: str


@dataclass(frozen=True)
class ExpectedOutput:
    """What must come of a VideoJob of the pipeline vqganClip."""

    manifest: Manifest

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def pipeline(self) -> dict[str, Any]:
        return dict(self.manifest["spec"]["pipeline"]["vqganClip"])

    @property
    def form(self) -> tuple[str, dict[str, Any]]:
        """The form's name and its fields."""
        (name,) = {"image", "video", "styleTransfer", "timelapse"} & self.pipeline.keys()
        return name, self.pipeline[name]

    @property
    def is_simulated(self) -> bool:
        return "test" in self.manifest["spec"]

    @property
    def frames(self) -> int:
        """How many pictures there are in `frames/`."""
        name, form = self.form
        if name == "image":
            return math.ceil(form["iterations"] / form["saveEvery"]) if "saveEvery" in form else 1
        if name == "styleTransfer":
            return sum(item["path"].startswith(f"{form['source']}/") for item in self.manifest["spec"]["inputs"])
        return int(form["iterations"]) + 1 if name == "timelapse" else int(form["frames"])

    @property
    def fps(self) -> float:
        """Of the engine's frames."""
        return float(self.manifest["spec"].get("encoding", {}).get("fps", 24))

    @property
    def seconds(self) -> float:
        """How long the mp4 plays: a timelapse has card, two fades and all twice over with four blends in between."""
        name, form = self.form
        if name != "timelapse" or self.is_simulated:
            return self.frames / self.fps
        card, fade = (round(form[field] * self.fps) for field in ("titleSeconds", "fadeSeconds"))
        pictures: int = card + 2 * fade + 2 * (5 * int(form["iterations"]) + 1)
        return pictures / self.fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame."""
        return self.pipeline["width"], self.pipeline["height"]

    def post(self, step: str, field: str) -> float | None:
        """A field of a step after the frames, if there is such a step."""
        found = [each[step][field] for each in self.manifest["spec"].get("post", []) if step in each]
        return float(found[0]) if found else None

    @property
    def shown_fps(self) -> float:
        """Of the mp4."""
        return self.post("interpolate", "fps") or self.fps

    @property
    def shown_size(self) -> tuple[int, int]:
        """Of the mp4."""
        scale = self.post("upscale", "scale") or 1
        return round(self.size[0] * scale), round(self.size[1] * scale)

    @property
    def expected_colors(self) -> list[ExpectedColors]:
        """What the last frame of each phrase shall show, where the prompt says so in the plainest words."""
        _, form = self.form
        phrases = [] if self.is_simulated else form["prompts"].split("^")
        found = [(PLAIN.match(phrase.strip()), self.last_frame(index)) for index, phrase in enumerate(phrases)]
        return [ExpectedColors(frame, told["colour"], told["background"]) for told, frame in found if told]

    def last_frame(self, phrase: int) -> int:
        """The last frame (0-based) of a phrase (0-based): told, or by even shares."""
        _, form = self.form
        phrases = len(form["prompts"].split("^"))
        if phrase == phrases - 1:
            return self.frames - 1
        if changes := form.get("changePromptsOnFrame"):
            return int(changes[phrase]) - 2  # frames are counted from 1 there
        return math.ceil(self.frames * (phrase + 1) / phrases) - 1

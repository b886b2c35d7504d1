"""
What a style transfer adds to a run: each frame has a source, which holds the latent and may be a prompt besides.

Trained on, the latent goes from frame to frame with its optimiser; it moves along with what moves in the source, and
what holds it changes (specification vqgan-clip §4.4, which lets it stay in place, as `upstream` does). Restyled, it
starts anew from a blend of the source with the frame before (§4.6). Either way a frame's random numbers are its own, so
a run that goes on in its middle finds the same targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from videojob_api.pipelines.vqgan_clip import StyleTransfer

from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.guidance.targets import joined, shared
from videojob_runner.engines.vqgan_clip.latent.encoding import encoded
from videojob_runner.engines.vqgan_clip.latent.optimizer import Latent
from videojob_runner.engines.vqgan_clip.losses.layout import Layout, grown
from videojob_runner.engines.vqgan_clip.losses.prompts import Targets
from videojob_runner.engines.vqgan_clip.prompts.grammar import Prompt
from videojob_runner.engines.vqgan_clip.video.motion import carried, offsets
from videojob_runner.engines.vqgan_clip.video.source_frames import SOURCE
from videojob_runner.torch_utils.images import Size, read_picture, to_pixels, to_tensor
from videojob_runner.torch_utils.random_streams import Randomness

BEFORE, SOURCE_STREAM, CODES, START = range(4)
"""Branches of a frame's random numbers."""


@dataclass(slots=True, kw_only=True)
class Style:
    """The sources of a style transfer and how they act."""

    form: StyleTransfer
    files: Sequence[Path]
    """One for each frame."""
    size: Size
    guidance: Guidance
    seed: int
    upstream: bool = False
    """Draw a Gumbel encoder's codes (quirk Q-33) and carry nothing along, as the original does."""
    before: Tensor | None = None
    """The frame before, ``[1, 3, H, W]`` in 0…1 at the levels it was saved with, where it is needed."""
    _pictured: tuple[int, list[Targets]] = (-1, [])
    _layout: tuple[int, Layout | None] = (-1, None)

    def picture(self, frame: int) -> Tensor:
        """The source of `frame` (0-based) ``[1, 3, H, W]``. Raises BadInput."""
        pixels = read_picture(self.files[frame], size=self.size, field=SOURCE)
        return to_tensor(pixels, device=str(self.guidance.device))

    def start(self) -> Tensor:
        """The latent of the first source."""
        return self.encoded(self.picture(0), branch=(START, 0))

    def encoded(self, picture: Tensor, *, branch: tuple[int, ...]) -> Tensor:
        """The latent of a picture."""
        drawn = self.randomness(branch).noise if self.upstream else None
        return encoded(self.guidance.generator, picture, draws=drawn)

    def randomness(self, branch: tuple[int, ...]) -> Randomness:
        """Streams of their own for one purpose in one frame."""
        return Randomness.of(self.seed, device=self.guidance.device, branch=branch)

    def begin(self, frame: int, latent: Latent) -> None:
        """Lets `latent`, which shows the frame before, begin with `frame`."""
        picture = self.picture(frame)
        if (restyle := self.form.restyle) is None:
            latent.target = self.encoded(picture, branch=(CODES, frame))
            if frame and not self.upstream:
                along = self.motion(latent.z, frame - 1, frame)
                latent.move(lambda values: carried(values, along))
            return
        self.before = (self.saved(latent) if frame else picture).contiguous()  # as it comes back from a checkpoint
        mixed = (1 - restyle.blend) * picture + restyle.blend * self.before
        latent.restart(self.encoded(mixed, branch=(CODES, frame)))
        latent.target = latent.start.clone()

    def carried(self, values: Tensor, source: int, frame: int) -> Tensor:
        """What belongs to the latent of frame `source`, ``[1, C, h, w]``, moved to where its things are in `frame`."""
        return carried(values, self.motion(values, source, frame))

    def motion(self, z: Tensor, source: int, frame: int) -> Tensor:
        """Where the things of `frame` are in frame `source`, for the cells of `z` (`motion.offsets`)."""
        height, width = z.shape[-2:]
        return offsets(self.picture(frame), self.picture(source), cells=(height, width))

    def saved(self, latent: Latent) -> Tensor:
        """The picture of a latent as a frame's file holds it."""
        return to_tensor(to_pixels(self.guidance.show(latent.z)), device=str(self.guidance.device))

    def targets(self, frame: int, targets: Targets) -> Targets:
        """`targets`, and the pictures that act as prompts in `frame`."""
        if self._pictured[0] != frame:
            self._pictured = frame, self.pictured(frame)
        return joined([targets, *self._pictured[1]])

    def layout(self, frame: int, *, lead_done: float) -> Layout | None:
        """What `frame` is to keep of its source's layout, when this part of the lead is done."""
        if (weight := self.form.source_layout_weight) == 0:
            return None
        if self._layout[0] != frame:
            self._layout = frame, Layout.of(self.picture(frame), weight=weight)
        return self._layout[1] and self._layout[1].times(grown(lead_done))

    @torch.no_grad()
    def pictured(self, frame: int) -> list[Targets]:
        """The source and the frame before as image prompts, as far as they have a weight."""
        found = []
        if weight := self.form.source_prompt_weight:
            source = Prompt("of the source", weight=weight, kind="image")
            found.append(self.prompt(source, self.picture(frame), branch=(SOURCE_STREAM, frame)))
        if self.before is not None and self.form.restyle and (weight := self.form.restyle.previous_prompt_weight):
            before = Prompt("of the frame before", weight=weight, kind="image")
            found.append(self.prompt(before, self.before, branch=(BEFORE, frame)))
        return found

    def prompt(self, prompt: Prompt, picture: Tensor, *, branch: tuple[int, ...]) -> Targets:
        """A picture as an image prompt."""
        return shared(prompt, self.guidance.embed(picture, self.randomness(branch)))

    def state(self) -> dict[str, Tensor]:
        """What the rest of a frame depends on besides the latent."""
        return {} if self.before is None else {"style.before": self.before}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Takes over what `state` returned."""
        before = state.get("style.before")
        self.before = None if before is None else before.to(self.guidance.device)

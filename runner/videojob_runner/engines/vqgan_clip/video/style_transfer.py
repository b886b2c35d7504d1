"""
State of a style transfer: each frame's source is the target of the latent, and optionally an image prompt.

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
from videojob_runner.engines.vqgan_clip.guidance.targets import concat_targets, split_weight
from videojob_runner.engines.vqgan_clip.latent.encoding import encode_image
from videojob_runner.engines.vqgan_clip.latent.optimizer import LatentOptimizer
from videojob_runner.engines.vqgan_clip.losses.layout import LayoutLoss, weight_ramp
from videojob_runner.engines.vqgan_clip.losses.prompts import PromptTargets
from videojob_runner.engines.vqgan_clip.prompts.grammar import Prompt
from videojob_runner.engines.vqgan_clip.video.motion import estimate_motion, warp
from videojob_runner.engines.vqgan_clip.video.source_frames import SOURCE_FIELD
from videojob_runner.torch_utils.images import Size, read_image, to_pixels, to_tensor
from videojob_runner.torch_utils.random_streams import RandomStreams

PREVIOUS_STREAM, SOURCE_STREAM, LATENT_STREAM, INIT_STREAM = range(4)
"""Branches of a frame's random numbers."""


@dataclass(slots=True, kw_only=True)
class StyleTransferState:
    """The sources of a style transfer and how they act."""

    form: StyleTransfer
    files: Sequence[Path]
    """One for each frame."""
    size: Size
    guidance: Guidance
    seed: int
    upstream: bool = False
    """Draw a Gumbel encoder's codes (quirk Q-33) and carry nothing along, as the original does."""
    previous_frame: Tensor | None = None
    """The frame before, ``[1, 3, H, W]`` in 0…1 at the levels it was saved with, where it is needed."""
    _pictured: tuple[int, list[PromptTargets]] = (-1, [])
    _layout: tuple[int, LayoutLoss | None] = (-1, None)

    def source_frame(self, frame: int) -> Tensor:
        """The source of `frame` (0-based) ``[1, 3, H, W]``. Raises BadInput."""
        pixels = read_image(self.files[frame], size=self.size, field=SOURCE_FIELD)
        return to_tensor(pixels, device=str(self.guidance.device))

    def initial_latent(self) -> Tensor:
        """The latent of the first source."""
        return self.encode(self.source_frame(0), branch=(INIT_STREAM, 0))

    def encode(self, picture: Tensor, *, branch: tuple[int, ...]) -> Tensor:
        """The latent of a picture."""
        drawn = self.randomness(branch).noise if self.upstream else None
        return encode_image(self.guidance.generator, picture, draws=drawn)

    def randomness(self, branch: tuple[int, ...]) -> RandomStreams:
        """Streams of their own for one purpose in one frame."""
        return RandomStreams.from_seed(self.seed, device=self.guidance.device, branch=branch)

    def start_frame(self, frame: int, latent: LatentOptimizer) -> None:
        """Lets `latent`, which shows the frame before, begin with `frame`."""
        picture = self.source_frame(frame)
        if (restyle := self.form.restyle) is None:
            latent.target = self.encode(picture, branch=(LATENT_STREAM, frame))
            if frame and not self.upstream:
                along = self.motion(latent.z, frame - 1, frame)
                latent.warp(lambda values: warp(values, along))
            return
        self.previous_frame = (
            self.quantized_frame(latent) if frame else picture
        ).contiguous()  # as it comes back from a checkpoint
        mixed = (1 - restyle.blend) * picture + restyle.blend * self.previous_frame
        latent.reset(self.encode(mixed, branch=(LATENT_STREAM, frame)))
        latent.target = latent.start.clone()

    def warp_latent(self, values: Tensor, source: int, frame: int) -> Tensor:
        """What belongs to the latent of frame `source`, ``[1, C, h, w]``, moved to where its things are in `frame`."""
        return warp(values, self.motion(values, source, frame))

    def motion(self, z: Tensor, source: int, frame: int) -> Tensor:
        """Where the things of `frame` are in frame `source`, for the cells of `z` (`motion.offsets`)."""
        height, width = z.shape[-2:]
        return estimate_motion(self.source_frame(frame), self.source_frame(source), cells=(height, width))

    def quantized_frame(self, latent: LatentOptimizer) -> Tensor:
        """The picture of a latent as a frame's file holds it."""
        return to_tensor(to_pixels(self.guidance.render(latent.z)), device=str(self.guidance.device))

    def targets(self, frame: int, targets: PromptTargets) -> PromptTargets:
        """`targets`, and the pictures that act as prompts in `frame`."""
        if self._pictured[0] != frame:
            self._pictured = frame, self.image_targets(frame)
        return concat_targets([targets, *self._pictured[1]])

    def layout(self, frame: int, *, lead_done: float) -> LayoutLoss | None:
        """What `frame` is to keep of its source's layout, when this part of the lead is done."""
        if (weight := self.form.source_layout_weight) == 0:
            return None
        if self._layout[0] != frame:
            self._layout = frame, LayoutLoss.from_image(self.source_frame(frame), weight=weight)
        return self._layout[1] and self._layout[1].scale(weight_ramp(lead_done))

    @torch.no_grad()
    def image_targets(self, frame: int) -> list[PromptTargets]:
        """The source and the frame before as image prompts, as far as they have a weight."""
        found = []
        if weight := self.form.source_prompt_weight:
            source = Prompt("of the source", weight=weight, kind="image")
            found.append(self.image_prompt(source, self.source_frame(frame), branch=(SOURCE_STREAM, frame)))
        if (
            self.previous_frame is not None
            and self.form.restyle
            and (weight := self.form.restyle.previous_prompt_weight)
        ):
            before = Prompt("of the frame before", weight=weight, kind="image")
            found.append(self.image_prompt(before, self.previous_frame, branch=(PREVIOUS_STREAM, frame)))
        return found

    def image_prompt(self, prompt: Prompt, picture: Tensor, *, branch: tuple[int, ...]) -> PromptTargets:
        """A picture as an image prompt."""
        return split_weight(prompt, self.guidance.embed_image(picture, self.randomness(branch)))

    def state_dict(self) -> dict[str, Tensor]:
        """What the rest of a frame depends on besides the latent."""
        return {} if self.previous_frame is None else {"style.before": self.previous_frame}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Takes over what `state` returned."""
        before = state.get("style.before")
        self.previous_frame = None if before is None else before.to(self.guidance.device)

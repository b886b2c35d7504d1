"""
Constant parts of a run: the two frozen networks and the cutouts between them.

A latent becomes a picture (snap to the codebook, decode, clamp), the picture becomes a loss (cut out, embed, compare
with the prompts). The networks may run under autocast in a shorter type; the quantiser, the cutouts and the loss always
are float32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from videojob_runner.engines.vqgan_clip.cutouts.cutouts import Cutouts
from videojob_runner.engines.vqgan_clip.losses.chunked import chunked_losses
from videojob_runner.engines.vqgan_clip.losses.prompts import PromptTargets, prompt_losses
from videojob_runner.engines.vqgan_clip.prompts.grammar import Phrase
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.models.vqgan.quantize import quantize
from videojob_runner.torch_utils.clamp import clamp_with_gradient
from videojob_runner.torch_utils.random_streams import RandomStreams


@contextmanager
def deterministic_cudnn(wanted: bool) -> Iterator[None]:
    """If wanted, cuDNN takes only algorithms that repeat themselves bit by bit."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = before or wanted
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """Generator, perceptor and cutouts, all on one device."""

    generator: Vqgan
    perceptor: Clip
    cutouts: Cutouts
    precision: torch.dtype = torch.float32
    """What the networks compute in."""
    chunk_size: int | None = None
    """How many cutouts CLIP works on at a time; absent: all of them. Fewer take less memory."""
    checkpoint_decoder: bool = False
    """Whether to keep less of the generator's work, and do it again on the way back."""

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.generator.codebook.device

    def autocast(self) -> AbstractContextManager[object]:
        """The context for calling the networks."""
        if self.precision == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.precision)

    def decode(self, z: Tensor) -> Tensor:
        """The picture ``[1, 3, H, W]`` in 0…1 of a latent ``[1, C, h, w]``, with gradients to `z`."""
        snapped = quantize(z, self.generator.codebook)
        with self.autocast():
            decoded = self.generator.decode(snapped, recompute=self.checkpoint_decoder)
        return clamp_with_gradient((decoded.float() + 1) / 2)

    @torch.inference_mode()
    def render(self, z: Tensor) -> Tensor:
        """The same without gradients: what goes into frames."""
        return self.decode(z)

    def loss(self, picture: Tensor, targets: PromptTargets, randomness: RandomStreams) -> Tensor:
        """How far random cutouts of the picture are from the targets, a scalar."""
        return self.losses(picture, targets, randomness)[0]

    def losses(self, picture: Tensor, targets: PromptTargets, randomness: RandomStreams) -> tuple[Tensor, Tensor]:
        """The same, and each target's share of it ``[m]``, without gradients."""
        views = self.cutouts(picture, randomness)
        at_once = self.chunk_size or len(views)
        return chunked_losses(views, lambda part: prompt_losses(self.encode_views(part), targets), chunk_size=at_once)

    def embed_image(self, picture: Tensor, randomness: RandomStreams) -> Tensor:
        """What CLIP sees in random cutouts of the picture: ``[n, D]``, one row for each."""
        views = self.cutouts(picture, randomness)
        return torch.cat([self.encode_views(part) for part in torch.split(views, self.chunk_size or len(views))])

    def encode_views(self, views: Tensor) -> Tensor:
        """CLIP's embeddings ``[n, D]`` of views ``[n, 3, S, S]``."""
        with self.autocast():
            embeddings = self.perceptor.encode_image(views)
        return embeddings.float()

    def text_targets(self, phrase: Phrase) -> PromptTargets:
        """A phrase of texts as the loss wants it; `targets.phrase_targets` takes every kind. Raises TextTooLong."""
        with torch.no_grad():
            embeddings = self.perceptor.encode_text([prompt.body for prompt in phrase]).float()
        numbers = torch.tensor([(prompt.weight, prompt.stop) for prompt in phrase], device=self.device)
        return PromptTargets(
            embeddings, weights=numbers[:, 0], stops=numbers[:, 1], labels=[str(prompt) for prompt in phrase]
        )

"""
Prompt targets of all kinds for the loss: embeddings with weights and stops.

A text is one embedding, a noise a random vector of that width (specification vqgan-clip §2.10). A picture goes through
the same random cutouts as the picture that is made, and all its embeddings stay; each bears its share of the weight, so
their mean counts as much as one text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from videojob_runner.engine.api import TaskContext
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.losses.prompts import PromptTargets
from videojob_runner.engines.vqgan_clip.prompts.grammar import Phrase, Prompt
from videojob_runner.torch_utils.images import read_image_within, to_tensor
from videojob_runner.torch_utils.random_streams import RandomStreams

PromptImages = Mapping[str, Tensor]
"""The pictures ``[1, 3, H, W]`` in 0…1 of image prompts, by their paths."""


def read_prompt_images(phrases: Sequence[Phrase], context: TaskContext, *, area: int, field: str) -> PromptImages:
    """All pictures that `phrases` name, shrunk to at most `area` pixels. Raises BadInput naming `field`."""
    paths = {prompt.body for phrase in phrases for prompt in phrase if prompt.kind == "image"}
    files = {path: context.input_file(path, field=field) for path in sorted(paths)}
    return {
        path: to_tensor(read_image_within(file, area=area, field=field), device=context.device)
        for path, file in files.items()
    }


@torch.no_grad()
def phrase_targets(
    guidance: Guidance, phrase: Phrase, *, pictures: PromptImages, randomness: RandomStreams
) -> PromptTargets:
    """The phrase as the loss wants it; `randomness` is for the cutouts of image prompts. Raises TextTooLong."""
    texts = tuple(prompt for prompt in phrase if prompt.kind == "text")
    parts = [guidance.text_targets(texts)] if texts else []
    for prompt in phrase:
        if prompt.kind == "image":
            parts.append(split_weight(prompt, guidance.embed_image(pictures[prompt.body], randomness)))
        elif prompt.kind == "noise":
            parts.append(
                split_weight(
                    prompt, noise_embedding(int(prompt.body), width=guidance.perceptor.embed_dim).to(guidance.device)
                )
            )
    return concat_targets(parts)


def concat_targets(parts: Sequence[PromptTargets]) -> PromptTargets:
    """Several targets as one."""
    return PromptTargets(
        torch.cat([part.embeddings for part in parts]),
        weights=torch.cat([part.weights for part in parts]),
        stops=torch.cat([part.stops for part in parts]),
        labels=[label for part in parts for label in part.labels],
    )


def split_weight(prompt: Prompt, embeddings: Tensor) -> PromptTargets:
    """One prompt's embeddings ``[m, D]``, each with its share of the weight."""
    count = len(embeddings)
    weights, stops = (embeddings.new_full((count,), number) for number in (prompt.weight / count, prompt.stop))
    return PromptTargets(embeddings, weights=weights, stops=stops, labels=[str(prompt)] * count)


def noise_embedding(seed: int, *, width: int) -> Tensor:
    """The vector ``[1, width]`` that a noise prompt pulls towards; the same on every device."""
    return torch.randn(1, width, generator=torch.Generator().manual_seed(seed))


@dataclass(slots=True)
class PhraseTargets:
    """
    The phrases of a run; each is embedded once, when it is first needed.

    Image prompts draw from streams of their own for each phrase, so that a run that is resumed finds the same targets,
    and one with a picture more draws the same cutouts of its own picture.
    """

    guidance: Guidance
    phrases: Sequence[Phrase]
    pictures: PromptImages = field(default_factory=dict)
    seed: int = 0
    _embedded: dict[int, PromptTargets] = field(default_factory=dict)

    def targets(self, index: int) -> PromptTargets:
        """Phrase `index` (0-based) for the loss."""
        if index not in self._embedded:
            randomness = RandomStreams.from_seed(self.seed, device=self.guidance.device, branch=(index,))
            self._embedded[index] = phrase_targets(
                self.guidance, self.phrases[index], pictures=self.pictures, randomness=randomness
            )
        return self._embedded[index]

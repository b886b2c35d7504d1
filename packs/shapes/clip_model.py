"""
The CLIP of the pack: openai-clip's own class with a small residual image tower and a narrow text tower.

Two functions replace what the class does slowly or only at one size: captions are cut to the longest of the batch
(the mask is causal, so that is exact), and pictures are normalised with CLIP's mean and deviation first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as nnf
from clip.model import CLIP
from torch import Tensor, nn
from videojob_runner.models.clip.model import IMAGE_MEAN, IMAGE_STD

from packs.shapes import vocabulary as words
from packs.shapes.captions import CONTEXT, END_TOKEN, prompt_tokens, with_article

MEAN: Final = torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1)
STD: Final = torch.tensor(IMAGE_STD).view(1, 3, 1, 1)


@dataclass(frozen=True, slots=True)
class ClipArchitecture:
    """The shape of a CLIP; everything else follows from the tensors."""

    input_resolution: int = 64
    context_length: int = CONTEXT
    embed_dim: int = 128
    vision_layers: tuple[int, int, int, int] = (1, 1, 1, 1)
    vision_width: int = 32
    text_width: int = 64
    text_layers: int = 3
    vocabulary: int = END_TOKEN + 1


DEFAULT_ARCHITECTURE: Final = ClipArchitecture()


def build_clip(shape: ClipArchitecture = DEFAULT_ARCHITECTURE) -> CLIP:
    """A CLIP with fresh weights from torch's global generator."""
    model = CLIP(
        shape.embed_dim,
        shape.input_resolution,
        shape.vision_layers,
        shape.vision_width,
        None,
        shape.context_length,
        shape.vocabulary,
        shape.text_width,
        max(shape.text_width // 64, 1),
        shape.text_layers,
    )
    for name, parameter in model.visual.named_parameters():
        if name.endswith("bn3.weight"):
            nn.init.constant_(parameter, 0.7)  # openai's zeros make every block a no-op at first
    return model


def image_embeddings(model: CLIP, images: Tensor) -> Tensor:
    """Unit vectors ``[n, D]`` in fp32 of pictures ``[n, 3, 64, 64]`` in 0…1."""
    return nnf.normalize(model.encode_image((images - MEAN) / STD).float(), dim=1)


def text_embeddings(model: CLIP, tokens: Tensor) -> Tensor:
    """Unit vectors ``[m, D]`` in fp32 of token rows ``[m, L]`` with L up to the context length."""
    length = tokens.shape[1]
    x = (model.token_embedding(tokens) + model.positional_embedding[:length]).permute(1, 0, 2)
    mask = torch.full((length, length), -torch.inf).triu_(1)
    for block in model.transformer.resblocks:
        normed = block.ln_1(x)
        x = x + block.attn(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        x = x + block.mlp(block.ln_2(x))
    last = model.ln_final(x.permute(1, 0, 2))[torch.arange(len(tokens)), tokens.argmax(1)]
    unit: Tensor = nnf.normalize((last @ model.text_projection).float(), dim=1)
    return unit


class AttributeHeads(nn.Module):
    """One linear classifier per attribute on the image embedding; only training uses them."""

    WEIGHTS: Final = tuple(weight / 5.6 for weight in (2.0, 1.0, 1.0, 0.4, 0.4, 0.4, 0.4))

    def __init__(self, width: int = DEFAULT_ARCHITECTURE.embed_dim) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, classes) for classes in words.CLASSES)

    def loss(self, embeddings: Tensor, rows: Tensor) -> Tensor:
        """Weighted cross-entropy over the attributes that the rows state."""
        total = embeddings.new_zeros(())
        for attribute, head in enumerate(self.heads):
            known = rows[:, attribute] >= 0
            if known.any():
                entropy = nnf.cross_entropy(head(8 * embeddings[known]), rows[known, attribute])
                total = total + self.WEIGHTS[attribute] * entropy
        return total


def contrastive_loss(images: Tensor, texts: Tensor, *, matches: Tensor, scale: Tensor) -> Tensor:
    """
    Symmetric cross-entropy against a match matrix instead of the identity.

    `images` ``[n, D]`` and `texts` ``[m, D]`` are unit vectors, `matches` is bool ``[m, n]``. Pictures without any
    match are negatives: they stand in the denominators, and are pushed below a cosine of 0.1 to every caption.
    """
    cosines = texts @ images.t()
    logits, wanted = scale * cosines, matches.float()
    to_image = -(wanted / wanted.sum(1, keepdim=True).clamp(min=1) * logits.log_softmax(1)).sum(1)
    named = matches.any(0)
    to_text = -(wanted / wanted.sum(0, keepdim=True).clamp(min=1) * logits.log_softmax(0)).sum(0)[named]
    loss = 0.5 * (to_image.mean() + to_text.mean())
    if not named.all():
        loss = loss + 4 * nnf.relu(cosines[:, ~named] - 0.1).square().mean()
    return loss


def logit_scale(model: CLIP) -> Tensor:
    """The learnt factor on cosines, at most 30."""
    scale: Tensor = model.logit_scale.exp().clamp(max=30)
    return scale


@torch.no_grad()
def retrieval_accuracy(
    model: CLIP, images: Tensor, rows: np.ndarray[tuple[int, ...], np.dtype[np.int8]]
) -> dict[str, float]:
    """
    Share of pictures whose best caption of the 384 "a C S on a B background" has the right shape, colour, background.

    `images` are float ``[n, 3, 64, 64]`` in 0…1 of scenes with one object.
    """
    table = [(s, c, b) for s in range(6) for c in range(8) for b in range(9) if b != c]
    texts = [
        f"{with_article(f'{words.COLOURS[c]} {words.SHAPES[s]}')} on {with_article(words.BACKGROUNDS[b])} background"
        for s, c, b in table
    ]
    found = (image_embeddings(model, images) @ text_embeddings(model, prompt_tokens(texts)).t()).argmax(1)
    guess = np.array(table)[found.numpy()]
    right = guess == rows[:, : words.BACKGROUND + 1]
    shares = dict(zip(("shape", "colour", "background"), right.mean(0).tolist(), strict=True))
    return shares | {"all": float(right.all(1).mean())}

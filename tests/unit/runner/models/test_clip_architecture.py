"""Every CLIP that OpenAI has published is found in the shapes of its tensors; nothing is allocated for it."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from clip.model import CLIP
from torch import Tensor
from videojob_runner.models.clip.architecture import ClipArchitecture, NotAClip, build_clip

from tests.unit.runner.tiny_packs import clip_tensors


class Published(NamedTuple):
    """What the papers and model cards say."""

    side: int
    width: int
    """Of an embedding."""
    layers: int | tuple[int, ...]
    channels: int
    patch: int | None
    text_width: int
    parameters: int


PUBLISHED = {
    "RN50": Published(224, 1024, (3, 4, 6, 3), 64, None, 512, 102_007_137),
    "RN101": Published(224, 512, (3, 4, 23, 3), 64, None, 512, 119_688_033),
    "RN50x4": Published(288, 640, (4, 6, 10, 6), 80, None, 640, 178_300_601),
    "RN50x16": Published(384, 768, (6, 8, 18, 8), 96, None, 768, 290_979_217),
    "RN50x64": Published(448, 1024, (3, 15, 36, 10), 128, None, 1024, 623_258_305),
    "ViT-B/32": Published(224, 512, 12, 768, 32, 512, 151_277_313),
    "ViT-B/16": Published(224, 512, 12, 768, 16, 512, 149_620_737),
    "ViT-L/14": Published(224, 768, 24, 1024, 14, 768, 427_616_513),
    "ViT-L/14@336px": Published(336, 768, 24, 1024, 14, 768, 427_944_193),
}


def tensors_of(model: Published) -> dict[str, Tensor]:
    """A state dict of the published shapes, without data, made by OpenAI's class."""
    text = {"context_length": 77, "vocab_size": 49408, "transformer_width": model.text_width}
    tower = {"vision_layers": model.layers, "vision_width": model.channels, "vision_patch_size": model.patch}
    heads = {"transformer_heads": model.text_width // 64, "transformer_layers": 12}
    with torch.device("meta"):
        return dict(CLIP(embed_dim=model.width, image_resolution=model.side, **tower, **text, **heads).state_dict())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_clip_is_rebuilt_from_the_shapes_of_its_tensors(name: str) -> None:
    model = PUBLISHED[name]
    network = build_clip(tensors_of(model))
    assert sum(parameter.numel() for parameter in network.parameters()) == model.parameters
    assert network.visual.input_resolution == model.side
    assert network.context_length == 77
    pictures = torch.empty(2, 3, model.side, model.side, device="meta")
    assert network.encode_image(pictures).shape == (2, model.width)
    assert network.encode_text(torch.zeros(2, 77, dtype=torch.int64, device="meta")).shape == (2, model.width)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text_projection": None}, "no tensor 'text_projection'"),
        ({"visual.proj": None}, r"no tensor 'visual\.attnpool\.positional_embedding'"),
        ({"visual.positional_embedding": torch.zeros(6, 64)}, "6 rows, but must have a square number"),
        ({"visual.positional_embedding": torch.zeros(1, 64)}, "1 rows"),
        ({"visual.conv1.weight": torch.zeros(65, 3, 16, 16)}, "not a multiple of 64"),
        ({"visual.conv1.weight": torch.zeros(64, 3, 16, 0)}, "image_resolution is 0"),
        ({"visual.conv1.weight": torch.zeros(64)}, "too few dimensions"),
        ({"ln_final.weight": torch.zeros(0)}, "transformer_width is 0"),
    ],
)
def test_what_is_no_clip_says_why(change: dict[str, Tensor | None], words: str) -> None:
    tensors = {name: tensor for name, tensor in {**clip_tensors(), **change}.items() if tensor is not None}
    with pytest.raises(NotAClip, match=words):
        ClipArchitecture.from_state_dict(tensors)


def test_a_residual_tower_of_odd_width_has_no_heads() -> None:
    narrow = {"visual.layer1.0.conv1.weight": torch.zeros(7, 7, 1, 1)}
    with pytest.raises(NotAClip, match="not a multiple of 2"):
        ClipArchitecture.from_state_dict({**clip_tensors(resnet=True), **narrow})


def test_nothing_is_no_clip() -> None:
    with pytest.raises(NotAClip, match=r"no tensor 'ln_final\.weight'"):
        ClipArchitecture.from_state_dict({})


def test_a_text_sees_only_what_stands_before() -> None:
    network = build_clip({name: tensor.float() for name, tensor in clip_tensors().items()})
    mask = network.transformer.resblocks[0].attn_mask
    assert torch.equal(torch.isinf(mask), torch.ones(77, 77).triu(1).bool())

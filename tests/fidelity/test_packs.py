"""The shipped packs against pictures that they have not been trained on, without any guidance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from packs.shapes import clip_model, dataset, negatives, vocabulary
from tests.fidelity.batch_guidance import BUILTIN, LoadedPacks

pytestmark = pytest.mark.fidelity


@pytest.fixture(scope="module")
def packs() -> LoadedPacks:
    return LoadedPacks.load()


@pytest.fixture(scope="module")
def scenes() -> dataset.ShapesDataset:
    held_out = dataset.held_out_images(800)
    single = np.flatnonzero((held_out.rows[:, vocabulary.COUNT] == 1) & (held_out.rows[:, vocabulary.STYLE] == 0))[:256]
    return dataset.ShapesDataset(held_out.images[single], held_out.rows[single])


def test_the_right_caption_is_the_nearest_of_384(packs: LoadedPacks, scenes: dataset.ShapesDataset) -> None:
    assert len(scenes.rows) == 256
    found = clip_model.retrieval_accuracy(packs.perceptor.network, negatives.downsample(scenes.images), scenes.rows)
    assert found["shape"] >= 0.92 and found["colour"] >= 0.96 and found["background"] >= 0.98, found


def test_reconstructions_of_held_out_pictures_reach_25_decibels(packs: LoadedPacks) -> None:
    held_out = dataset.held_out_images(256)
    wanted = negatives.downsample(held_out.images) * 2 - 1
    with torch.no_grad():
        codebook = packs.generator.codebook
        latents = packs.generator.encode(wanted).permute(0, 2, 3, 1)
        codes = torch.cdist(latents.flatten(0, 2), codebook).argmin(1)
        snapped = codebook[codes].view(latents.shape).permute(0, 3, 1, 2)
        made = packs.generator.decode(snapped).clamp(-1, 1)
    noise = (made - wanted).square().mean((1, 2, 3)) / 4
    assert float((-10 * noise.log10()).mean()) >= 25.0


def test_both_packs_together_are_small_enough_to_ship() -> None:
    assert sum(file.stat().st_size for file in BUILTIN.rglob("*.safetensors")) <= 25_000_000

"""What the networks keep is foretold from their shapes: as many bytes as autograd then really holds."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from clip.model import CLIP
from taming.modules.diffusionmodules.model import Decoder
from videojob_runner.models.activation_count import decoder_activations, largest_activation, vision_activations
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.vqgan.decoder import decode

from tests.unit.runner.models.test_forward_passes import DECODERS, drawn, kept, seeded

TEXT = (77, 100, 64, 1, 1)
TOWERS: dict[str, Any] = {
    "a vision transformer": (24, 64, 3, 128, 8, *TEXT),
    "a larger one": (24, 96, 5, 192, 16, *TEXT),
    "a residual tower": (24, 64, (1, 2, 1, 1), 16, None, *TEXT),
    "a deeper one": (24, 96, (2, 3, 2, 1), 8, None, *TEXT),
}


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("which", DECODERS)
def test_the_decoder_keeps_what_is_counted(which: str, recompute: bool) -> None:
    options, (rows, columns) = DECODERS[which]
    decoder = seeded(lambda: Decoder(out_ch=3, in_channels=3, **options))
    held = kept(
        partial(decode, decoder, recompute=recompute), drawn(1, options["z_channels"], rows, columns), network=decoder
    )
    counted = 4 * decoder_activations(decoder, rows * columns, recompute=recompute)
    assert counted == pytest.approx(held, rel=0.01)


@pytest.mark.parametrize("which", TOWERS)
def test_a_view_keeps_what_is_counted(which: str) -> None:
    """The difference that three more views make: weights that were changed for the purpose are held once."""
    network = seeded(lambda: Clip(CLIP(*TOWERS[which])))
    few, more = (
        kept(network.encode_image, torch.rand(count, 3, network.input_size, network.input_size), network=network)
        for count in (3, 6)
    )
    tolerance = 0.02 if "transformer" in which or "larger" in which else 0.1
    assert 3 * 4 * vision_activations(network.network.visual) == pytest.approx(more - few, rel=tolerance)


def test_networks_without_data_are_counted_too_and_in_no_time() -> None:
    """The f16 decoder at 256×256 and ViT-B/32, in MiB."""
    options, _ = DECODERS["of the ImageNet f16 models"]
    with torch.device("meta"):
        decoder = Decoder(out_ch=3, in_channels=3, **options)
        tower = CLIP(512, 224, 12, 768, 32, 77, 49_408, 512, 8, 12).visual
    plain, again = (4 * decoder_activations(decoder, 256, recompute=r) / 2**20 for r in (False, True))
    assert (plain, again) == pytest.approx((326.0, 180.5), abs=0.1)
    assert 4 * vision_activations(tower) / 2**20 == pytest.approx(16.8, abs=0.1)
    assert largest_activation(decoder, 256) == 128 * 256 * 256

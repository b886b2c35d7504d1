"""The decoder and CLIP's picture tower, walked our way: the libraries' numbers, with less kept for the way back."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from clip.model import CLIP
from taming.modules.diffusionmodules.model import Decoder, Encoder
from torch import Tensor, nn
from videojob_runner.models.clip.model import IMAGE_MEAN, IMAGE_STD, Clip
from videojob_runner.models.kernels.frozen_layers import conv2d, upsample_conv2d
from videojob_runner.models.vqgan.decoder import decode
from videojob_runner.models.vqgan.encoder import encode

F16: dict[str, Any] = {"ch": 128, "ch_mult": (1, 1, 2, 2, 4), "num_res_blocks": 2, "attn_resolutions": [16]}
SHAPES: dict[str, Any] = {"ch": 32, "ch_mult": (2, 2, 4), "num_res_blocks": 1, "attn_resolutions": []}
DECODERS = {
    "of the ImageNet f16 models": ({**F16, "resolution": 256, "z_channels": 256}, (3, 4)),
    "of the shapes pack": ({**SHAPES, "resolution": 64, "z_channels": 64}, (5, 8)),
    "with attention on the way": ({**SHAPES, "attn_resolutions": [32], "resolution": 64, "z_channels": 64}, (2, 3)),
}


def seeded(make: Callable[[], nn.Module]) -> Any:
    """A frozen network of random weights."""
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(io.StringIO()):
        torch.manual_seed(0)
        return make().requires_grad_(False).eval()


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def with_gradient(make: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The result, and what some gradient of it becomes at the input."""
    leaf = x.clone().requires_grad_()
    result = make(leaf)
    return result.detach(), torch.autograd.grad(result, leaf, drawn(*result.shape, seed=2).to(result))[0]


def kept(make: Callable[[Tensor], Tensor], x: Tensor, *, network: nn.Module) -> int:
    """Bytes that are kept for the way back, each storage once, those of the weights not."""
    held: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = make(x.clone().requires_grad_())
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    assert result.requires_grad  # and with it all that is kept is still alive
    return sum(size for place, size in held.items() if place not in weights)


class TestDecoder:
    @pytest.mark.parametrize("which", DECODERS)
    @pytest.mark.parametrize("last", [False, True], ids=["", "channels last"])
    def test_picture_and_gradient_are_taming_s_and_computing_twice_changes_no_bit(self, which: str, last: bool) -> None:
        options, sides = DECODERS[which]
        decoder = seeded(lambda: Decoder(out_ch=3, in_channels=3, **options))
        latent = drawn(1, options["z_channels"], *sides)
        expected = with_gradient(decoder, latent)
        form = torch.channels_last if last else torch.contiguous_format
        latent = latent.contiguous(memory_format=form)
        plain, again = (with_gradient(partial(decode, decoder, recompute=r), latent) for r in (False, True))
        for ours, theirs, twice in zip(plain, expected, again, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
            assert torch.equal(ours, twice)

    def test_a_quarter_is_kept_of_what_taming_keeps_and_half_of_that_when_it_is_computed_again(self) -> None:
        options, _ = DECODERS["of the ImageNet f16 models"]
        decoder, latent = seeded(lambda: Decoder(out_ch=3, in_channels=3, **options)), drawn(1, 256, 4, 4)
        theirs = kept(decoder, latent, network=decoder)
        ours, again = (kept(partial(decode, decoder, recompute=r), latent, network=decoder) for r in (False, True))
        assert ours < theirs / 4
        assert again < ours * 0.6

    def test_without_gradients_nothing_is_kept(self) -> None:
        options, sides = DECODERS["of the shapes pack"]
        decoder, latent = seeded(lambda: Decoder(out_ch=3, in_channels=3, **options)), drawn(1, 64, *sides)
        with torch.inference_mode():
            assert not decode(decoder, latent, recompute=True).requires_grad
            assert torch.allclose(decode(decoder, latent), decoder(latent), atol=1e-4)

    @pytest.mark.parametrize("recompute", [False, True])
    def test_autocast_shortens_it_as_it_does_taming_s(self, recompute: bool) -> None:
        options, sides = DECODERS["of the shapes pack"]
        decoder, latent = seeded(lambda: Decoder(out_ch=3, in_channels=3, **options)), drawn(1, 64, *sides)
        exact = with_gradient(decoder, latent)
        with torch.autocast("cpu", torch.bfloat16):
            theirs = with_gradient(decoder, latent)
            ours = with_gradient(partial(decode, decoder, recompute=recompute), latent)
        assert ours[0].dtype == theirs[0].dtype == torch.bfloat16
        for short, other, true in zip(ours, theirs, exact, strict=True):
            error, usual = (float((value.float() - true).norm()) for value in (short, other))
            assert 0 < error < 1.3 * usual

    @pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (6, 4)])
    def test_enlarging_is_repetition_and_a_convolution(self, rows: int, columns: int) -> None:
        layer = seeded(lambda: nn.Conv2d(7, 5, 3, padding=1))
        x = drawn(2, 7, rows, columns)
        expected = with_gradient(lambda x: layer(x.repeat_interleave(2, 2).repeat_interleave(2, 3)), x)
        ours = with_gradient(lambda x: upsample_conv2d(x, layer), x)
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, expected, strict=True))

    @pytest.mark.parametrize(("kernel", "padding"), [(1, 0), (3, 1), (3, 0), (5, 2)])
    def test_a_convolution_keeps_nothing_and_has_its_gradient(self, kernel: int, padding: int) -> None:
        layer, x = seeded(lambda: nn.Conv2d(6, 4, kernel, padding=padding)), drawn(2, 6, 9, 8)
        ours, expected = with_gradient(lambda x: conv2d(x, layer), x), with_gradient(layer, x)
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, expected, strict=True))
        assert kept(lambda x: conv2d(x, layer), x, network=layer) == 0
        assert kept(layer, x, network=layer) > 0


class TestEncoder:
    @pytest.mark.parametrize("which", DECODERS)
    def test_latent_and_gradient_are_taming_s(self, which: str) -> None:
        options, (rows, columns) = DECODERS[which]
        factor = 2 ** (len(options["ch_mult"]) - 1)
        encoder = seeded(lambda: Encoder(out_ch=3, in_channels=3, double_z=False, **options))
        picture = drawn(1, 3, rows * factor, columns * factor)
        ours, theirs = with_gradient(partial(encode, encoder), picture), with_gradient(encoder, picture)
        for found, expected in zip(ours, theirs, strict=True):
            assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


class TestVisionTransformer:
    clip: Clip = seeded(lambda: Clip(CLIP(24, 32, 3, 128, 8, 77, 100, 64, 1, 1)))
    views = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(3))

    def theirs(self, views: Tensor) -> Tensor:
        mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (IMAGE_MEAN, IMAGE_STD))
        embeddings: Tensor = self.clip.network.encode_image((views - mean) / deviation)
        return embeddings

    def test_embeddings_and_gradients_are_openai_s(self) -> None:
        ours, expected = with_gradient(self.clip.encode_image, self.views), with_gradient(self.theirs, self.views)
        assert ours[0].shape == (5, 24)
        for a, b in zip(ours, expected, strict=True):
            assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)

    def test_less_is_kept(self) -> None:
        ours, theirs = (kept(see, self.views, network=self.clip) for see in (self.clip.encode_image, self.theirs))
        assert ours < 0.75 * theirs

    def test_autocast_shortens_it_as_it_does_openai_s(self) -> None:
        exact = self.theirs(self.views)
        with torch.autocast("cpu", torch.bfloat16):
            ours, theirs = self.clip.encode_image(self.views), self.theirs(self.views)
        error, usual = (float((value.float() - exact).norm()) for value in (ours, theirs))
        assert 0 < error < 1.5 * usual

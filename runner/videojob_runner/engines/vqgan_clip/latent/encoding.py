"""Initial values of z: random codes, an encoded image of noise, gradients or gray, or the user's init image."""

from __future__ import annotations

import torch
from torch import Tensor

from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.models.vqgan.quantize import codes_to_latent, nearest_codes
from videojob_runner.torch_utils.images import Size


@torch.no_grad()
def encode_image(generator: Vqgan, picture: Tensor, *, draws: torch.Generator | None = None) -> Tensor:
    """
    The codebook vectors ``[1, C, H/f, W/f]`` that a picture ``[1, 3, H, W]`` in 0…1 is encoded as.

    A Gumbel encoder's codes are those of its largest logits, the same each time. With `draws`, a generator on the
    picture's device, they are drawn by their probabilities, as the original does even outside training (quirk Q-33).
    """
    latent = generator.encode(picture * 2 - 1).float()
    if generator.code_logits is None:
        return codes_to_latent(nearest_codes(latent, generator.codebook), generator.codebook)
    logits = generator.code_logits(latent)
    if draws is not None:
        logits = logits - torch.empty_like(logits).exponential_(generator=draws).log()
    return codes_to_latent(logits.argmax(1), generator.codebook)


def gray_latent(generator: Vqgan, *, size: Size) -> Tensor:
    """The latent of flat mid-gray: nothing to undo, unlike random codes."""
    width, height = size
    return encode_image(generator, torch.full((1, 3, height, width), 0.5, device=generator.codebook.device))


def add_codebook_noise(z: Tensor, codebook: Tensor, *, noise: float, draws: torch.Generator) -> Tensor:
    """
    `z` with normal noise of `noise` standard deviations of each channel of the codebook; `draws` is a CPU generator.

    A picture that has settled on one text can be a dead end for the next: no small change of a red disc makes it a
    better blue square. Noise breaks it up.
    """
    deviation = noise * codebook.std(0).view(1, -1, 1, 1)
    return z.detach() + deviation * torch.randn(z.shape, generator=draws).to(z)


def random_codes(generator: Vqgan, *, size: Size, draws: torch.Generator) -> Tensor:
    """A latent of independent, uniformly drawn codes for a picture of `size`."""
    width, height = (side // generator.factor for side in size)
    indices = torch.randint(len(generator.codebook), (1, height, width), generator=draws, device=draws.device)
    return codes_to_latent(indices.to(generator.codebook.device), generator.codebook).detach()


def noise_image(size: Size, *, draws: torch.Generator) -> Tensor:
    """A picture ``[1, 3, H, W]`` of independent bytes 0…254 (specification vqgan-clip §2.4); drawn on the CPU."""
    width, height = size
    return torch.randint(0, 255, (1, 3, height, width), generator=draws) / 255


def gradient_image(size: Size, *, draws: torch.Generator) -> Tensor:
    """
    A picture ``[1, 3, H, W]``: red rises from left to right, green from top to bottom, blue goes from top to bottom.

    The ends are drawn from the ranges of §2.4 by `draws`, a CPU generator; levels are whole bytes.
    """
    width, height = size
    red, green, blue_from, blue_to = (
        int(torch.randint(low, high + 1, (), generator=draws)) for low, high in ((1, 254), (2, 254), (0, 254), (3, 127))
    )
    ramps = (
        torch.linspace(0, red, width).expand(height, width),
        torch.linspace(0, green, height)[:, None].expand(height, width),
        torch.linspace(blue_from, blue_to, height)[:, None].expand(height, width),
    )
    return torch.stack(ramps).floor()[None] / 255

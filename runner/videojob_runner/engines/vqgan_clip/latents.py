"""Where z starts: codes drawn at random, a flat gray picture, or a picture of the user's."""

from __future__ import annotations

import torch
from torch import Tensor

from videojob_runner.engines.vqgan_clip.quantise import codes_to_latent, nearest_codes
from videojob_runner.models.vqgan import Vqgan


@torch.no_grad()
def encoded(generator: Vqgan, picture: Tensor) -> Tensor:
    """The codebook vectors ``[1, C, H/f, W/f]`` that a picture ``[1, 3, H, W]`` in 0…1 is encoded as."""
    latent = generator.encode(picture * 2 - 1).float()
    return codes_to_latent(nearest_codes(latent, generator.codebook), generator.codebook)


def gray(generator: Vqgan, *, size: tuple[int, int]) -> Tensor:
    """The latent of flat mid-gray at `size` (width, height): nothing to undo, unlike random codes."""
    width, height = size
    return encoded(generator, torch.full((1, 3, height, width), 0.5, device=generator.codebook.device))


def shaken(z: Tensor, codebook: Tensor, *, noise: float, draws: torch.Generator) -> Tensor:
    """
    `z` with normal noise of `noise` standard deviations of each channel of the codebook; `draws` is a CPU generator.

    A picture that has settled on one text can be a dead end for the next: no small change of a red disc makes it a
    better blue square. Noise breaks it up.
    """
    deviation = noise * codebook.std(0).view(1, -1, 1, 1)
    return z.detach() + deviation * torch.randn(z.shape, generator=draws).to(z)


def random_codes(generator: Vqgan, *, size: tuple[int, int], draws: torch.Generator) -> Tensor:
    """A latent of independent, uniformly drawn codes for a picture of `size`; `draws` is a CPU generator."""
    width, height = (side // generator.factor for side in size)
    indices = torch.randint(len(generator.codebook), (1, height, width), generator=draws)
    return codes_to_latent(indices.to(generator.codebook.device), generator.codebook).detach()

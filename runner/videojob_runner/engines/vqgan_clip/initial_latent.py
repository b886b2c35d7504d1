"""The latent that a run starts from, as configuration and pack want it (specification vqgan-clip §2.4)."""

from __future__ import annotations

from torch import Tensor

from videojob_runner.engine.api import RunContext
from videojob_runner.engines.vqgan_clip.config import FIELD, VqganClipConfig
from videojob_runner.engines.vqgan_clip.latent.encoding import encoded, gradients, gray, pixel_noise, random_codes
from videojob_runner.engines.vqgan_clip.settings import Settings
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.images import read_picture, to_tensor
from videojob_runner.torch_utils.random_streams import Randomness


def first_latent(
    config: VqganClipConfig, settings: Settings, *, generator: Vqgan, randomness: Randomness, context: RunContext
) -> Tensor:
    """The init image's latent, or the one that `start` names. Raises BadInput for a picture that cannot be read."""
    size, draws = settings.size, randomness.host
    drawn = randomness.noise if settings.upstream else None
    if config.init_image is not None:
        field = f"{FIELD}.initImage"
        pixels = read_picture(context.input_file(config.init_image, field=field), size=size, field=field)
        return encoded(generator, to_tensor(pixels, device=context.device), draws=drawn)
    match settings.start:
        case "gray":
            return gray(generator, size=size)
        case "pixels":
            return encoded(generator, pixel_noise(size, draws=draws).to(context.device), draws=drawn)
        case "gradient":
            return encoded(generator, gradients(size, draws=draws).to(context.device), draws=drawn)
        case "random":
            # The original draws its tokens on the compute device.
            return random_codes(generator, size=size, draws=randomness.noise if settings.upstream else draws)

"""The latent that a run starts from, as configuration and pack want it (specification vqgan-clip §2.4)."""

from __future__ import annotations

from torch import Tensor

from videojob_runner.engine.api import TaskContext
from videojob_runner.engines.vqgan_clip.config import FIELD_PREFIX, VqganClipConfig
from videojob_runner.engines.vqgan_clip.latent.encoding import (
    encode_image,
    gradient_image,
    gray_latent,
    noise_image,
    random_codes,
)
from videojob_runner.engines.vqgan_clip.settings import RunSettings
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.images import read_image, to_tensor
from videojob_runner.torch_utils.random_streams import RandomStreams


def initial_latent(
    config: VqganClipConfig, settings: RunSettings, *, generator: Vqgan, randomness: RandomStreams, context: TaskContext
) -> Tensor:
    """The init image's latent, or the one that `start` names. Raises BadInput for a picture that cannot be read."""
    size, draws = settings.size, randomness.host
    drawn = randomness.noise if settings.upstream else None
    if config.init_image is not None:
        field = f"{FIELD_PREFIX}.initImage"
        pixels = read_image(context.input_file(config.init_image, field=field), size=size, field=field)
        return encode_image(generator, to_tensor(pixels, device=context.device), draws=drawn)
    match settings.start:
        case "gray":
            return gray_latent(generator, size=size)
        case "pixels":
            return encode_image(generator, noise_image(size, draws=draws).to(context.device), draws=drawn)
        case "gradient":
            return encode_image(generator, gradient_image(size, draws=draws).to(context.device), draws=drawn)
        case "random":
            # The original draws its tokens on the compute device.
            return random_codes(generator, size=size, draws=randomness.noise if settings.upstream else draws)

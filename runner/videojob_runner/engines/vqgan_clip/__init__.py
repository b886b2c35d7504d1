"""
VQGAN+CLIP: text-steered pictures and videos.

As a job's engine it is `VqganClip`; in a notebook `videojob_runner.notebook` runs it without a cluster.

The parts below it work alone, for loops of one's own:

    generator = Vqgan.load(Pack.open(Path("packs/shapes-vqgan"), kind="vqgan"))
    perceptor = Clip.load(Pack.open(Path("packs/shapes-clip"), kind="clip"))
    cutouts = Cutouts(CutoutOptions(count=8), target=perceptor.input_size)
    guidance = Guidance(generator=generator, perceptor=perceptor, cutouts=cutouts)
    options = OptimizerOptions(init_weight=InitWeight(weight=0.5))
    latent = LatentOptimizer(gray_latent(generator, size=(64, 64)), generator.codebook, options)
    targets, randomness = guidance.text_targets(parse("a red circle")[0]), RandomStreams.from_seed(seed=7)
    for _ in range(250):
        latent.step(guidance, targets, rate=0.1, randomness=randomness)
    image = to_pixels(guidance.render(latent.z))
"""

from videojob_api.pipelines.vqgan_clip import Image, RestyleOptions, SmootherOptions, StyleTransfer, Timelapse, Video

from videojob_runner.engines.vqgan_clip.config import VqganClipConfig
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions, Cutouts
from videojob_runner.engines.vqgan_clip.cutouts.presets import AugmentationOptions
from videojob_runner.engines.vqgan_clip.engine import VqganClip
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.guidance.targets import phrase_targets
from videojob_runner.engines.vqgan_clip.latent.encoding import (
    encode_image,
    gradient_image,
    gray_latent,
    noise_image,
    random_codes,
)
from videojob_runner.engines.vqgan_clip.latent.optimizer import IterationResult, LatentOptimizer, OptimizerOptions
from videojob_runner.engines.vqgan_clip.losses.init_weight import InitWeight
from videojob_runner.engines.vqgan_clip.prompts.grammar import Prompt, PromptSyntaxError, parse
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.images import to_pixels, to_tensor
from videojob_runner.torch_utils.random_streams import RandomStreams

__all__ = [
    "AugmentationOptions",
    "Clip",
    "CutoutOptions",
    "Cutouts",
    "Guidance",
    "Image",
    "InitWeight",
    "IterationResult",
    "LatentOptimizer",
    "OptimizerOptions",
    "Pack",
    "Prompt",
    "PromptSyntaxError",
    "RandomStreams",
    "RestyleOptions",
    "SmootherOptions",
    "StyleTransfer",
    "Timelapse",
    "Video",
    "Vqgan",
    "VqganClip",
    "VqganClipConfig",
    "encode_image",
    "gradient_image",
    "gray_latent",
    "noise_image",
    "parse",
    "phrase_targets",
    "random_codes",
    "to_pixels",
    "to_tensor",
]

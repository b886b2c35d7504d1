"""
VQGAN+CLIP: text-steered pictures and videos.

As a job's engine it is `VqganClip`; in a notebook `videojob_runner.notebook` runs it without a cluster.

The parts below it work alone, for loops of one's own:

    generator = Vqgan.load(Pack.open(Path("packs/shapes-vqgan"), kind="vqgan"))
    perceptor = Clip.load(Pack.open(Path("packs/shapes-clip"), kind="clip"))
    cutouts = Cutouts(CutoutOptions(count=8), target=perceptor.side)
    guidance = Guidance(generator=generator, perceptor=perceptor, cutouts=cutouts)
    latent = Latent(gray(generator, size=(64, 64)), generator.codebook, Descent(anchor=Anchor(weight=0.5)))
    targets, randomness = guidance.targets(parse("a red circle")[0]), Randomness.of(seed=7)
    for _ in range(250):
        latent.step(guidance, targets, rate=0.1, randomness=randomness)
    picture = to_pixels(guidance.show(latent.z))
"""

from videojob_api.pipelines.vqgan_clip import Image, RestyleOptions, SmootherOptions, StyleTransfer, Timelapse, Video

from videojob_runner.engines.vqgan_clip.config import VqganClipConfig
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions, Cutouts
from videojob_runner.engines.vqgan_clip.cutouts.presets import Augmentation
from videojob_runner.engines.vqgan_clip.engine import VqganClip
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.guidance.targets import phrase_targets
from videojob_runner.engines.vqgan_clip.latent.encoding import encoded, gradients, gray, pixel_noise, random_codes
from videojob_runner.engines.vqgan_clip.latent.optimizer import Descent, Iteration, Latent
from videojob_runner.engines.vqgan_clip.losses.init_weight import Anchor
from videojob_runner.engines.vqgan_clip.prompts.grammar import Prompt, PromptFault, parse
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.images import to_pixels, to_tensor
from videojob_runner.torch_utils.random_streams import Randomness

__all__ = [
    "Anchor",
    "Augmentation",
    "Clip",
    "CutoutOptions",
    "Cutouts",
    "Descent",
    "Guidance",
    "Image",
    "Iteration",
    "Latent",
    "Pack",
    "Prompt",
    "PromptFault",
    "Randomness",
    "RestyleOptions",
    "SmootherOptions",
    "StyleTransfer",
    "Timelapse",
    "Video",
    "Vqgan",
    "VqganClip",
    "VqganClipConfig",
    "encoded",
    "gradients",
    "gray",
    "parse",
    "phrase_targets",
    "pixel_noise",
    "random_codes",
    "to_pixels",
    "to_tensor",
]

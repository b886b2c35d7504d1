"""The engine as the bench runs it: put together from its public parts, for one setting."""

from __future__ import annotations

import torch
from torch import Tensor
from videojob_runner.engines.vqgan_clip import (
    Anchor,
    Clip,
    CutoutOptions,
    Cutouts,
    Descent,
    Guidance,
    Latent,
    Pack,
    Randomness,
    Vqgan,
    parse,
    random_codes,
)
from videojob_runner.engines.vqgan_clip.guidance import usual_precision

from bench.setting import Setting


class Ours:
    """The engine; with `upstream`, as `compat: upstream` has it."""

    def __init__(self, setting: Setting, *, upstream: bool) -> None:
        generator = Vqgan.load(Pack.open(setting.generator, kind="vqgan"), device=setting.device)
        perceptor = Clip.load(Pack.open(setting.perceptor, kind="clip"), device=setting.device)
        if setting.compiled:
            for network, method in ((generator, "decode"), (perceptor, "encode_image")):
                setattr(network, method, torch.compile(getattr(network, method)))
        options = CutoutOptions(count=setting.cuts, method=setting.method, upstream=upstream)
        self.guidance = Guidance(
            generator=generator,
            perceptor=perceptor,
            cutouts=Cutouts(options, target=perceptor.side),
            precision=precision(setting),
            views_at_once=setting.views_at_once,
            recompute=setting.recompute,
        )
        streams = Randomness.as_upstream if upstream else Randomness.of
        self.rate, self.randomness = setting.rate, streams(setting.seed, device=setting.device)
        start = random_codes(generator, size=setting.size, draws=self.randomness.noise)
        self.latent = Latent(start, generator.codebook, Descent(anchor=Anchor(weight=setting.init_weight)))
        self.targets = self.guidance.targets(parse(setting.prompt)[0])

    @property
    def precision(self) -> torch.dtype:
        """What the networks compute in."""
        return self.guidance.precision

    @property
    def z(self) -> Tensor:
        """The latent."""
        return self.latent.z

    def picture(self, z: Tensor) -> Tensor:
        """Quantiser, decoder and clamp."""
        return self.guidance.picture(z)

    def views(self, picture: Tensor) -> Tensor:
        """What CLIP is shown."""
        return self.guidance.cutouts(picture, self.randomness)

    def embeddings(self, views: Tensor) -> Tensor:
        """What CLIP sees."""
        return self.guidance.seen(views)

    def step(self) -> Tensor:
        """One iteration; the loss before it."""
        return self.latent.step(self.guidance, self.targets, rate=self.rate, randomness=self.randomness).loss


def as_it_is(setting: Setting) -> Ours:
    """A run with the engine's defaults."""
    return Ours(setting, upstream=False)


def compat(setting: Setting) -> Ours:
    """A run with `compat: upstream`."""
    return Ours(setting, upstream=True)


def precision(setting: Setting) -> torch.dtype:
    """What our networks compute in."""
    if setting.precision == "usual":
        return usual_precision(setting.device)
    return torch.bfloat16 if setting.precision == "bfloat16" else torch.float32

"""The engine as the bench runs it: put together from its public parts, for one setting."""

from __future__ import annotations

import torch
from torch import Tensor
from videojob_api.pipelines.vqgan_clip import Precision
from videojob_runner.engines.vqgan_clip import (
    Clip,
    CutoutOptions,
    Cutouts,
    Guidance,
    InitWeight,
    LatentOptimizer,
    OptimizerOptions,
    Pack,
    RandomStreams,
    Vqgan,
    parse,
    random_codes,
)
from videojob_runner.engines.vqgan_clip.guidance.memory import fit_to_memory
from videojob_runner.torch_utils.precision import resolve_dtype

from bench.config import BenchConfig


class EngineRun:
    """The engine; with `upstream`, as `compat: upstream` has it; `precision` as in a job."""

    def __init__(self, setting: BenchConfig, *, upstream: bool, precision: Precision | None = None) -> None:
        kind = resolve_dtype(precision, device=setting.device, field="precision")
        generator = Vqgan.load(Pack.open(setting.generator, kind="vqgan"), device=setting.device, precision=kind)
        perceptor = Clip.load(Pack.open(setting.perceptor, kind="clip"), device=setting.device, precision=kind)
        if setting.compiled:
            for network, method in ((generator, "decode"), (perceptor, "encode_image")):
                setattr(network, method, torch.compile(getattr(network, method)))
        options = CutoutOptions(count=setting.cuts, method=setting.method, upstream=upstream)
        guidance = Guidance(
            generator=generator,
            perceptor=perceptor,
            cutouts=Cutouts(options, target=perceptor.input_size),
            precision=kind,
        )
        self.guidance = fit_to_memory(guidance, size=setting.size, wanted=setting.memory, before=None)
        streams = RandomStreams.from_seed_upstream if upstream else RandomStreams.from_seed
        self.rate, self.randomness = setting.rate, streams(setting.seed, device=setting.device)
        start = random_codes(generator, size=setting.size, draws=self.randomness.noise)
        self.latent = LatentOptimizer(
            start, generator.codebook, OptimizerOptions(init_weight=InitWeight(weight=setting.init_weight))
        )
        self.targets = self.guidance.text_targets(parse(setting.prompt)[0])

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
        return self.guidance.decode(z)

    def views(self, picture: Tensor) -> Tensor:
        """What CLIP is shown."""
        return self.guidance.cutouts(picture, self.randomness)

    def embeddings(self, views: Tensor) -> Tensor:
        """What CLIP sees."""
        return self.guidance.encode_views(views)

    def step(self) -> Tensor:
        """One iteration; the loss before it."""
        return self.latent.step(self.guidance, self.targets, rate=self.rate, randomness=self.randomness).loss


def default_run(setting: BenchConfig) -> EngineRun:
    """A run with the engine's defaults."""
    return EngineRun(setting, upstream=False)


def compat_run(setting: BenchConfig) -> EngineRun:
    """A run with `compat: upstream`."""
    return EngineRun(setting, upstream=True)


def compat_bfloat16_run(setting: BenchConfig) -> EngineRun:
    """A run with `compat: upstream` and `precision: bfloat16`."""
    return EngineRun(setting, upstream=True, precision="bfloat16")


def bfloat16_run(setting: BenchConfig) -> EngineRun:
    """A run with `precision: bfloat16` and the engine's defaults otherwise: the fast setting of a CPU."""
    return EngineRun(setting, upstream=False, precision="bfloat16")

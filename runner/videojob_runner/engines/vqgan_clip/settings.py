"""
A configuration and the defaults of two packs, resolved into one frozen set of numbers.

What the user says wins over what the packs say, and that over what the field is used to (kornia cutouts, 32 of them,
random codes, learning rate 0.1). A learning rate of the user's stays constant; a pack's may fall over the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from videojob_api.pipelines.vqgan_clip import LatentInit

from videojob_runner.engines.vqgan_clip.config import FIELD_PREFIX, VqganClipConfig, is_upstream
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions
from videojob_runner.engines.vqgan_clip.cutouts.presets import DEFAULT_AUGMENTS
from videojob_runner.engines.vqgan_clip.latent.optimizer import OptimizerOptions
from videojob_runner.engines.vqgan_clip.losses.init_weight import InitWeight
from videojob_runner.engines.vqgan_clip.pack_defaults import GeneratorDefaults, PerceptorDefaults, read_defaults
from videojob_runner.engines.vqgan_clip.prompts.grammar import Phrase
from videojob_runner.engines.vqgan_clip.schedule.forms import build_schedule, plateau_options, read_prompts
from videojob_runner.engines.vqgan_clip.schedule.iterations import IterationSchedule
from videojob_runner.engines.vqgan_clip.video.aspect import fit_aspect, fit_aspect_upstream
from videojob_runner.engines.vqgan_clip.video.camera import Camera
from videojob_runner.engines.vqgan_clip.video.smoother import SmootherConfig
from videojob_runner.errors import BadConfig
from videojob_runner.models.packs.reader import Pack
from videojob_runner.torch_utils.images import Size

UPSTREAM_PASSES = 3
"""How often the original brings a style transfer's sides into its source's proportions (Q-22)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Everything a run needs to know besides its networks and its seed."""

    size: Size
    """Width and height of the pictures in pixels, multiples of the generator's factor."""
    start: LatentInit
    phrases: tuple[Phrase, ...]
    schedule: IterationSchedule
    camera: Camera
    smoothing: SmootherConfig
    upstream: bool
    """Keep the original's habits that older videos depend on."""
    phrase_noise: float
    """In standard deviations of the codebook; 0: z goes on as it is when the phrase changes."""
    cutouts: CutoutOptions
    optimizer: OptimizerOptions
    """How the latent moves."""


def resolve_settings(
    config: VqganClipConfig,
    *,
    generator: Pack,
    perceptor: Pack,
    factor: int,
    source: Size | None = None,
    sources: int = 0,
) -> RunSettings:
    """
    The settings of a run; `source` is the size of the picture whose proportions are wanted, `sources` how many frames a
    style transfer starts from.

    Raises BadConfig for the configuration and BadInput for a pack's defaults.
    """
    ours, theirs = read_defaults(generator, GeneratorDefaults), read_defaults(perceptor, PerceptorDefaults)
    phrases = read_prompts(config)
    return RunSettings(
        size=output_size(config, factor, source=source),
        start=(config.style_transfer and config.style_transfer.start) or config.start or ours.start,
        phrases=phrases,
        schedule=build_schedule(config, ours, phrases=len(phrases), sources=sources),
        camera=build_camera(config),
        smoothing=build_smoother_config(config),
        upstream=is_upstream(config),
        phrase_noise=0.0 if config.style_transfer else ours.phrase_noise,
        cutouts=CutoutOptions(
            count=config.cuts or theirs.cuts,
            power=config.cut_power,
            method=config.cut_method,
            augmentation=theirs.augmentation,
            augments=DEFAULT_AUGMENTS if config.augments is None else tuple(config.augments),
            upstream=is_upstream(config),
        ),
        optimizer=OptimizerOptions(
            optimizer=config.optimizer,
            init_weight=init_weight(config),
            plateau=plateau_options(config) if config.adaptive_learning_rate else None,
        ),
    )


def init_weight(config: VqganClipConfig) -> InitWeight:
    """What holds the latent back: the source frame of a style transfer, or what the common fields say."""
    if (style := config.style_transfer) is None:
        return InitWeight(weight=config.init_weight or 0.0, method=config.init_weight_method or "original")
    usual = 0.0 if style.restyle or style.source_layout_weight else 2.0
    weight = usual if style.source_weight is None else style.source_weight
    return InitWeight(weight=weight, method="targetDecay" if style.source_weight_fades else "target")


def init_weight_fields(config: VqganClipConfig) -> str | None:
    """The fields that hold the picture where it is, if any do; their shares of the loss are one."""
    style, fields = config.style_transfer, []
    if init_weight(config).is_active:
        fields.append("sourceWeight" if style else "initWeight")
    if style and style.source_layout_weight:
        fields.append("sourceLayoutWeight")
    return " and ".join(fields) or None


def output_size(config: VqganClipConfig, factor: int, *, source: Size | None) -> Size:
    """Width and height, in the proportions of `source` if there is one. Raises BadConfig when nothing is left."""
    wanted = config.width, config.height
    if source is None:
        return round_to_factor(wanted, factor)
    if is_upstream(config):
        for _ in range(UPSTREAM_PASSES if config.style_transfer else 1):
            wanted = fit_aspect_upstream(source, budget=wanted)
        return round_to_factor(wanted, factor)
    if found := fit_aspect(source, budget=wanted, factor=factor):
        return found
    (width, height), (across, down) = wanted, source
    message = (
        f"{width}x{height} pixels are too few for the source's aspect ratio {across}:{down}; increase width and height"
    )
    raise BadConfig(message, field=f"{FIELD_PREFIX}.width")


def round_to_factor(size: Size, factor: int) -> Size:
    """The sides rounded down to multiples of the factor (§2.3). Raises BadConfig when nothing is left."""
    for name, side in zip(("width", "height"), size, strict=True):
        if side < factor:
            raise BadConfig(f"{side} is less than the generator's {factor} pixels", field=f"{FIELD_PREFIX}.{name}")
    width, height = size
    return width // factor * factor, height // factor * factor


def build_camera(config: VqganClipConfig) -> Camera:
    """What moves between the frames of a video."""
    if (video := config.video) is None:
        return Camera()
    return Camera(
        zoom=video.zoom,
        rotate=video.rotate,
        shift_x=video.shift_x,
        shift_y=video.shift_y,
        whole_pixels=is_upstream(config),
    )


def build_smoother_config(config: VqganClipConfig) -> SmootherConfig:
    """How neighbouring frames are averaged; the original's video takes the plain mean whatever alpha says."""
    video, style = config.video, config.style_transfer
    wanted = (video and video.smoother) or (style and style.smoother)
    if not wanted:
        return SmootherConfig()
    ways: Literal["mean", "weighted"] = "mean" if video else "weighted"
    return SmootherConfig(length=wanted.length, alpha=wanted.alpha, causal=ways if is_upstream(config) else None)

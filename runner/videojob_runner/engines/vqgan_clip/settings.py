"""
A configuration and the defaults of two packs, resolved into one frozen set of numbers.

What the user says wins over what the packs say, and that over what the field is used to (kornia cutouts, 32 of them,
random codes, learning rate 0.1). A learning rate of the user's stays constant; a pack's may fall over the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, ValidationError
from videojob_api.base import Document
from videojob_api.pipelines.vqgan_clip import Image, Start, Timelapse, Video

from videojob_runner.contract.errors import BadConfig, BadInput
from videojob_runner.engines.vqgan_clip.anchor import Anchor
from videojob_runner.engines.vqgan_clip.aspect import matched, upstream_matched
from videojob_runner.engines.vqgan_clip.config import VqganClipConfig
from videojob_runner.engines.vqgan_clip.cutouts import CutoutOptions
from videojob_runner.engines.vqgan_clip.optimise import Descent
from videojob_runner.engines.vqgan_clip.pictures import Size
from videojob_runner.engines.vqgan_clip.plateau import Patience
from videojob_runner.engines.vqgan_clip.prompts import Phrase, phrase_of_frame
from videojob_runner.engines.vqgan_clip.recipes import USUAL_AUGMENTS, Augmentation
from videojob_runner.engines.vqgan_clip.schedule import Rates, Schedule
from videojob_runner.engines.vqgan_clip.smoother import Smoothing
from videojob_runner.engines.vqgan_clip.stories import read_story
from videojob_runner.engines.vqgan_clip.transform import Camera
from videojob_runner.models.packs import Pack

DefaultsT = TypeVar("DefaultsT", bound=Document)

FIELD = "pipeline.vqganClip"
Form = Image | Video | Timelapse
PATIENT_FRAMES: Final = 10
"""Frames of a video without a lower loss before an adaptive learning rate falls."""
PATIENT_PART: Final = 0.1
"""The same of an image or a timelapse, as a part of its iterations."""
UPSTREAM_PATIENCE: Final = 10
"""Iterations, torch's own default."""
Rate = Annotated[float, Field(gt=0, le=10)]


class GeneratorDefaults(Document):
    """`defaults` of a pack of kind `vqgan`."""

    start: Start = "random"
    learning_rate: Rate = 0.1
    learning_rate_final: Rate | None = None
    """Form `image`: the rate falls to it over the run."""
    learning_rate_next_frames: Rate | None = None
    """Form `video`: the rate falls to it over the first frame and stays, and anew for each phrase."""
    phrase_noise: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Form `video`: noise added to z when the phrase changes, in standard deviations of the codebook."""


class PerceptorDefaults(Document):
    """`defaults` of a pack of kind `clip`."""

    cuts: Annotated[int, Field(ge=1, le=256)] = 32
    augmentation: Augmentation = Augmentation()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a run needs to know besides its networks and its seed."""

    size: Size
    """Width and height of the pictures in pixels, multiples of the generator's factor."""
    start: Start
    story: tuple[Phrase, ...]
    schedule: Schedule
    camera: Camera
    smoothing: Smoothing
    upstream: bool
    """Keep the original's habits that older videos depend on."""
    phrase_noise: float
    """In standard deviations of the codebook; 0: z goes on as it is when the phrase changes."""
    cutouts: CutoutOptions
    descent: Descent
    """How the latent moves."""


def resolve(
    config: VqganClipConfig, *, generator: Pack, perceptor: Pack, factor: int, source: Size | None = None
) -> Settings:
    """
    The settings of a run; `source` is the size of the picture whose proportions are wanted.

    Raises BadConfig for the configuration and BadInput for a pack's defaults.
    """
    ours, theirs = defaults(generator, GeneratorDefaults), defaults(perceptor, PerceptorDefaults)
    phrases = story(config)
    return Settings(
        size=sides(config, factor, source=source),
        start=config.start or ours.start,
        story=phrases,
        schedule=schedule(config, ours, phrases=len(phrases)),
        camera=camera(config),
        smoothing=smoothing(config),
        upstream=upstream(config),
        phrase_noise=ours.phrase_noise,
        cutouts=CutoutOptions(
            count=config.cuts or theirs.cuts,
            power=config.cut_power,
            method=config.cut_method,
            augmentation=theirs.augmentation,
            augments=USUAL_AUGMENTS if config.augments is None else tuple(config.augments),
            upstream=upstream(config),
        ),
        descent=Descent(
            optimizer=config.optimizer,
            anchor=Anchor(weight=config.init_weight or 0.0, method=config.init_weight_method or "original"),
            patience=patience(config) if config.adaptive_learning_rate else None,
        ),
    )


def defaults(pack: Pack, model: type[DefaultsT]) -> DefaultsT:
    """The pack's defaults. Raises BadInput when it has others than its kind knows."""
    try:
        return model.model_validate(pack.manifest.defaults)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"pack {pack.name!r}: defaults.{where}: {first['msg']}") from error


def sides(config: VqganClipConfig, factor: int, *, source: Size | None) -> Size:
    """Width and height, in the proportions of `source` if there is one. Raises BadConfig when nothing is left."""
    wanted = config.width, config.height
    if source is None or upstream(config):
        return rounded(upstream_matched(source, budget=wanted) if source else wanted, factor)
    if found := matched(source, budget=wanted, factor=factor):
        return found
    (width, height), (across, down) = wanted, source
    message = f"{width}x{height} pixels are too few for the init image's proportions, {across}:{down}; allow more"
    raise BadConfig(message, field=f"{FIELD}.fit")


def rounded(size: Size, factor: int) -> Size:
    """The sides rounded down to multiples of the factor (§2.3). Raises BadConfig when nothing is left."""
    for name, side in zip(("width", "height"), size, strict=True):
        if side < factor:
            raise BadConfig(f"{side} is less than the generator's {factor} pixels", field=f"{FIELD}.{name}")
    width, height = size
    return width // factor * factor, height // factor * factor


def form(config: VqganClipConfig) -> tuple[str, Form]:
    """The form that is set, after its name; the model lets exactly one through. Raises BadConfig."""
    forms = {"image": config.image, "video": config.video, "timelapse": config.timelapse}
    for name, chosen in forms.items():
        if chosen is not None:
            return name, chosen
    raise BadConfig(f"one of {', '.join(forms)} must be given", field=FIELD)


def upstream(config: VqganClipConfig) -> bool:
    """Whether the original's habits are wanted."""
    return config.compat == "upstream"


def story(config: VqganClipConfig) -> tuple[Phrase, ...]:
    """The prompts of the form. Raises BadConfig naming the place of a fault."""
    name, chosen = form(config)
    field = f"{FIELD}.{name}"
    phrases = read_story(chosen, field=field, upstream=upstream(config))
    if isinstance(chosen, Image) and upstream(config):
        return phrases[:1]  # the original's image silently takes the first
    if isinstance(chosen, Image) and len(phrases) > 1:
        raise BadConfig("a single picture has one phrase; use | instead of ^, or the form video", field=field)
    if isinstance(chosen, Video) and len(phrases) > chosen.frames and chosen.change_prompts_on_frame is None:
        raise BadConfig(f"{len(phrases)} phrases cannot share {chosen.frames} frames; add frames", field=field)
    if isinstance(chosen, Timelapse) and len(phrases) > chosen.iterations:
        raise BadConfig(f"{len(phrases)} phrases cannot share {chosen.iterations} iterations; add some", field=field)
    return phrases


def schedule(config: VqganClipConfig, pack: GeneratorDefaults, *, phrases: int) -> Schedule:
    """The iterations of the form that is set."""
    _, chosen = form(config)
    if isinstance(chosen, Image):
        return image_schedule(config, chosen, pack)
    if isinstance(chosen, Timelapse):
        return timelapse_schedule(config, chosen, pack, phrases=phrases)
    return video_schedule(config, chosen, pack, phrases=phrases)


def image_schedule(config: VqganClipConfig, image: Image, pack: GeneratorDefaults) -> Schedule:
    """One run-up, and a frame now and then."""
    per_frame = image.save_every or image.iterations
    return Schedule(
        total=image.iterations,
        per_frame=per_frame,
        rates=rates(config, pack, end=pack.learning_rate_final),
        span=image.iterations,
        phrases=(0,) * -(-image.iterations // per_frame),
        first_age=1,
    )


def video_schedule(config: VqganClipConfig, video: Video, pack: GeneratorDefaults, *, phrases: int) -> Schedule:
    """A lead, and as many iterations for each frame."""
    lead = 0 if config.init_image else video.iterations_for_first_frame
    changes = video.change_prompts_on_frame
    if changes and upstream(config):
        changes = [change + 1 for change in changes]  # it changes only after a frame was trained
    return Schedule(
        total=lead + video.frames * video.iterations_per_frame,
        per_frame=video.iterations_per_frame,
        rates=rates(config, pack, end=pack.learning_rate_next_frames),
        span=lead + video.iterations_per_frame,
        phrases=phrases_of_frames(video.frames, phrases=phrases, changes=changes),
        lead=lead,
        lifetime=video.iterations_per_frame,
    )


def timelapse_schedule(
    config: VqganClipConfig, timelapse: Timelapse, pack: GeneratorDefaults, *, phrases: int
) -> Schedule:
    """A frame before each iteration and one after the last; the rate grows (specification vqgan-clip §1.9)."""
    of_frames = phrases_of_frames(timelapse.iterations, phrases=phrases, changes=None)
    cap = timelapse.learning_rate_cap or pack.learning_rate
    start = config.learning_rate or cap / 5  # the original's 0.02 is a fifth of its cap
    return Schedule(
        total=timelapse.iterations,
        per_frame=1,
        rates=Rates(start=start, end=start, growth=timelapse.learning_rate_growth, cap=max(cap, start)),
        span=timelapse.iterations,
        phrases=(*of_frames, of_frames[-1]),
        before=True,
    )


def phrases_of_frames(frames: int, *, phrases: int, changes: list[int] | None) -> tuple[int, ...]:
    """The phrase (0-based) of each frame."""
    return tuple(
        phrase_of_frame(frame, frames=frames, phrases=phrases, changes=changes) for frame in range(1, frames + 1)
    )


def patience(config: VqganClipConfig) -> Patience:
    """Some frames of a video, or a part of all iterations; the original's ten iterations of single losses."""
    if upstream(config):
        return Patience(iterations=UPSTREAM_PATIENCE, upstream=True)
    _, chosen = form(config)
    if isinstance(chosen, Image | Timelapse):
        return Patience(iterations=max(round(chosen.iterations * PATIENT_PART), UPSTREAM_PATIENCE))
    return Patience(iterations=PATIENT_FRAMES * chosen.iterations_per_frame)


def rates(config: VqganClipConfig, pack: GeneratorDefaults, *, end: float | None) -> Rates:
    """The user's constant rate, or the pack's with its `end`."""
    start = config.learning_rate or pack.learning_rate
    own = config.learning_rate is not None or end is None
    return Rates(start=start, end=start if own or end is None else end)


def camera(config: VqganClipConfig) -> Camera:
    """What moves between the frames of a video."""
    if (video := config.video) is None:
        return Camera()
    return Camera(
        zoom=video.zoom,
        rotate=video.rotate,
        shift_x=video.shift_x,
        shift_y=video.shift_y,
        whole_pixels=upstream(config),
    )


def smoothing(config: VqganClipConfig) -> Smoothing:
    """How neighbouring frames are averaged; the original's video takes the plain mean whatever alpha says."""
    wanted = config.video and config.video.smoother
    if not wanted:
        return Smoothing()
    causal: Literal["mean"] | None = "mean" if upstream(config) else None
    return Smoothing(length=wanted.length, alpha=wanted.alpha, causal=causal)

"""Fields of `pipeline.vqganClip`: a VQGAN latent optimized towards prompts with CLIP (specification §2 to §4)."""

import math
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, StringConstraints

from videojob_api.base import Document, RelativePath
from videojob_api.pipelines.base import UPSCALER, InputField, ModelRole, PipelineSpec, png_bytes
from videojob_api.validation.core import Rule
from videojob_api.validation.objects import at_least_one, excludes, increasing, only_where, requires, value_requires
from videojob_api.validation.values import ODD

Prompts = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""`phrase ^ phrase`, each `item | item`, each `body[:weight[:stop]]`."""


LatentInit = Literal["random", "gray", "pixels", "gradient"]
"""Initial latent without an init image: random codes, or an encoded image of gray, noise or gradients."""
InitWeightMethod = Literal["original", "decay"]
"""Target of the init weight loss: the initial latent, or zero with a decaying weight."""
OptimizerName = Literal["Adam", "AdamW", "Adagrad", "Adamax", "DiffGrad", "RAdam", "RMSprop", "AdamP"]
"""Optimizers of the upstream programs, under their upstream names."""
Precision = Literal["float32", "bfloat16"]
"""Floating-point types, under torch's names."""
CutMethod = Literal["original", "kornia", "sg3", "nrupdated", "latest", "updatedpooling", "nvg"]
"""Cutout methods of the upstream programs, under their upstream names; `nvg` is the original container's."""
Augment = Literal["Af", "Cr", "Er", "Et", "Gn", "Ji", "Pe", "Re", "Ro", "Sh", "Ts"]
"""Augmentations of the upstream command-line program, under its codes."""


class PromptedForm(Document):
    """Prompts of a form: at least one of three kinds, all with the same syntax."""

    rules: ClassVar[tuple[Rule, ...]] = (at_least_one("prompts", "image_prompts", "noise_prompts"),)
    prompts: Prompts | None = None
    """Text prompts: `text[:weight[:stop]]`, several joined by `|`; `^` separates consecutive phrases."""
    image_prompts: Prompts | None = None
    """Image prompts: `path[:weight[:stop]]`, paths relative to `input/`; `|` and `^` as in prompts."""
    noise_prompts: Prompts | None = None
    """Random embeddings as prompts: `seed[:weight[:stop]]`; `|` and `^` as in prompts."""

    def frame_count(self) -> int | None:
        """Number of frames the form renders; None if only the engine can tell."""
        return None

    def max_frame_count(self) -> int | None:
        """Maximum number of frames; None if unlimited."""
        return self.frame_count()

    def images_per_frame(self) -> int:
        """Approximate number of images in the video per frame."""
        return 1


class SmootherOptions(Document):
    """Averages the latents of neighboring frames to reduce flicker."""

    length: Annotated[int, Field(ge=1, le=99), ODD] = 5
    """Window length in frames, centered on the current frame; odd. Shorter at both ends of the video."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Decay of the weights: each frame further from the center weighs 1 − alpha times the previous one; 0: equal
    weights."""


class Image(PromptedForm):
    """One still image; its prompts have a single phrase."""

    iterations: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Number of optimization steps."""
    save_every: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Save a frame every this many iterations, in addition to the last; only the last if absent."""

    def frame_count(self) -> int:
        """One frame per `save_every` iterations, plus one after the last unless they coincide."""
        return math.ceil(self.iterations / (self.save_every or self.iterations))


class Video(PromptedForm):
    """A video: each frame is optimized starting from the previous one, which the camera zooms, rotates and shifts."""

    rules: ClassVar[tuple[Rule, ...]] = (*PromptedForm.rules, increasing("change_prompts_on_frame", maximum="frames"))
    frames: Annotated[int, Field(ge=1, le=100_000)]
    """Number of frames."""
    iterations_per_frame: Annotated[int, Field(ge=1, le=10_000)] = 30
    """Number of optimization steps per frame."""
    iterations_for_first_frame: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Additional optimization steps for the first frame; none with an init image."""
    change_prompts_on_frame: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=256)] | None = None
    """Frame numbers (from 1, increasing) at which the next phrase starts. Absent: phrases share the frames evenly."""
    zoom: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    """Scale factor between consecutive frames; below 1 zooms out."""
    rotate: Annotated[float, Field(ge=-180, le=180)] = 0.0
    """Rotation between consecutive frames in degrees clockwise; negative values rotate counterclockwise."""
    shift_x: Annotated[int, Field(ge=-4096, le=4096)] = 0
    """Shift between consecutive frames in pixels to the right; wraps around."""
    shift_y: Annotated[int, Field(ge=-4096, le=4096)] = 0
    """Shift between consecutive frames in pixels down; wraps around."""
    smoother: SmootherOptions | None = None
    """Averages the latents of neighboring frames. Absent: no smoothing."""

    def frame_count(self) -> int:
        """The requested number of frames."""
        return self.frames


class RestyleOptions(Document):
    """Optimizes every frame from its source instead of the previous frame: more flicker, no drift."""

    blend: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Share of the previous frame in the initial image; the rest is the source frame."""
    previous_prompt_weight: Annotated[float, Field(ge=-100, le=100)] = 0.0
    """Weight of the previous frame as an image prompt; 0: not used."""


class StyleTransfer(PromptedForm):
    """
    Style transfer: every frame of a source video is optimized towards the prompts and kept close to its source.

    Each frame starts from the previous result, warped by the motion between the two source frames.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        *PromptedForm.rules,
        increasing("change_prompts_on_frame"),
        excludes("start", other="restyle", explanation="it starts each frame from its source"),
    )
    source: RelativePath
    """Path below `input/` of a video, or of a folder of images sorted by name. The aspect ratio is preserved."""
    source_fps: Annotated[float, Field(gt=0, le=240)] | None = None
    """Frames per second sampled from the source video. Defaults to `encoding.fps`."""
    frames: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Maximum number of frames; all if absent."""
    iterations_per_frame: Annotated[int, Field(ge=1, le=10_000)] = 15
    """Number of optimization steps per frame."""
    iterations_for_first_frame: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Additional optimization steps for the first frame. Defaults to iterationsPerFrame, or to 0 with restyle."""
    source_weight: Annotated[float, Field(ge=0, le=1000)] | None = None
    """Weight of the loss that keeps a frame close to its source. Defaults to 2, or 0 with sourceLayoutWeight or
    restyle."""
    source_weight_fades: bool = False
    """If true, sourceWeight decays with each iteration of a frame, from more than three times its value."""
    source_layout_weight: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Weight of the loss that keeps the source's layout in any colors, after a fifth of the first frame's steps. 0:
    off."""
    start: LatentInit | None = None
    """Initial latent of the first frame: random codes, gray, noise (pixels) or a gradient. Defaults to its source."""
    source_prompt_weight: Annotated[float, Field(ge=-100, le=100)] = 0.0
    """Weight of the source frame as an image prompt; 0: not used."""
    change_prompts_on_frame: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=256)] | None = None
    """Frame numbers (from 1, increasing) at which the next phrase starts. Absent: phrases share the frames evenly."""
    smoother: SmootherOptions | None = None
    """Averages the latents of neighboring frames. Absent: no smoothing."""
    restyle: RestyleOptions | None = None
    """Optimizes every frame from its source instead of the previous frame."""

    def max_frame_count(self) -> int | None:
        """The requested maximum; the source may have fewer frames."""
        return self.frames


class Timelapse(PromptedForm):
    """
    Time-lapse of one image being optimized; one frame per iteration.

    The mp4 shows a title card, fades in from the init image, blends between iterations, plays back in reverse and
    fades out to the init image. The published frames are the iterations only.
    """

    iterations: Annotated[int, Field(ge=1, le=99_999)] = 300
    """Number of optimization steps; the initial image is an additional frame."""
    learning_rate_growth: Annotated[float, Field(ge=1, le=2)] = 1.02
    """Factor applied to the learning rate after each iteration."""
    learning_rate_cap: Annotated[float, Field(gt=0, le=10)] | None = None
    """Maximum learning rate. Defaults to the pack's, else 0.1. Without learningRate the first step uses a fifth of
    it."""
    in_betweens: Annotated[int, Field(ge=0, le=59)] = 4
    """Number of blended images between two iterations."""
    boomerang: bool = True
    """If true, the video is played back in reverse afterwards."""
    title: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """Text of the title card. Defaults to the first prompt."""
    title_seconds: Annotated[float, Field(ge=0, le=3600)] = 3.5
    """Seconds the title card is shown; 0, or an empty text: no title card."""
    fade_seconds: Annotated[float, Field(ge=0, le=3600)] = 2.5
    """Duration of each fade in seconds; without an init image there are no fades."""

    def frame_count(self) -> int:
        """The initial image, and one frame per iteration."""
        return self.iterations + 1

    def images_per_frame(self) -> int:
        """Each frame and its blends, twice with boomerang. Title card and fades are not stored on disk."""
        return (self.in_betweens + 1) * (2 if self.boomerang else 1)


class MemoryOptions(Document):
    """Memory options; absent fields are chosen automatically (the fastest plan that fits)."""

    views_at_once: Annotated[int, Field(ge=1, le=256)] | None = None
    """Number of cutouts per CLIP batch; fewer need less memory. Results differ only by rounding."""
    recompute: bool | None = None
    """Activation checkpointing in the generator: half the activation memory, a second forward pass, identical
    results."""


Form = Image | Video | StyleTransfer | Timelapse
GENERATOR = ModelRole(name="generator", kind="vqgan", default="shapes-vqgan")
PERCEPTOR = ModelRole(name="perceptor", kind="clip", default="shapes-clip")


class VqganClipPipeline(PipelineSpec):
    """Image or video optimized towards prompts with VQGAN and CLIP: common fields, and exactly one form."""

    MODEL_ROLES: ClassVar[tuple[ModelRole, ...]] = (GENERATOR, PERCEPTOR, UPSCALER)
    INPUT_FIELDS: ClassVar[tuple[InputField, ...]] = (
        InputField(path="init_image"),
        InputField(path="style_transfer.source", may_contain=True),
    )
    FORMS: ClassVar[tuple[str, ...]] = ("image", "video", "style_transfer", "timelapse")
    rules: ClassVar[tuple[Rule, ...]] = (
        excludes("init_image", other="style_transfer", explanation="it starts from its source"),
        excludes("start", other="style_transfer", explanation="it has a start of its own"),
        excludes("init_weight", other="style_transfer", explanation="use its sourceWeight"),
        only_where("augments", other="cut_method", values=("latest", "nrupdated")),
        value_requires("fit", "aspect", needs="init_image"),
        requires("init_weight_method", needs="init_weight", explanation="it says how the weight acts"),
    )
    width: Annotated[int, Field(ge=16, le=4096)] = 256
    """Width in pixels; rounded down to a multiple of the generator's downsampling factor, usually 16."""
    height: Annotated[int, Field(ge=16, le=4096)] = 256
    """Height in pixels; rounded down like the width."""
    seed: Annotated[int, Field(ge=0, le=9_007_199_254_740_991)] | None = None
    """Random seed. If absent, one is drawn and recorded in the manifest."""
    init_image: RelativePath | None = None
    """Path of the initial image, relative to `input/`."""
    fit: Literal["stretch", "aspect"] = "stretch"
    """stretch: scales the init image to width × height. aspect: keeps its aspect ratio at about width × height
    pixels."""
    start: LatentInit | None = None
    """Initial latent without an init image: random codes, gray, noise (pixels) or a gradient. Defaults to the
    pack's."""
    init_weight: Annotated[float, Field(ge=0, le=1000)] | None = None
    """Weight of the loss that keeps the latent close to a target (see initWeightMethod). Off if absent."""
    init_weight_method: InitWeightMethod | None = None
    """Target of initWeight: original (default) is the initial latent; decay is zero, with a weight that decays."""
    cuts: Annotated[int, Field(ge=1, le=256)] | None = None
    """Number of cutouts per iteration. Defaults to the pack's value, else 32."""
    cut_method: CutMethod = "kornia"
    """original, sg3: crops; kornia, nvg, nrupdated: augmented crops; latest, updatedpooling: the augmented whole
    image."""
    augments: Annotated[list[Augment], Field(max_length=16)] | None = None
    """Augmentations of latest and nrupdated, in this order. Defaults to Af, Pe, Ji, Er; empty: none."""
    cut_power: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Exponent of the cutout size distribution: above 1 favors small cutouts, below 1 large ones."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None
    """Learning rate of the optimizer. Defaults to the pack's value, else 0.1."""
    adaptive_learning_rate: bool = False
    """Divides the learning rate by ten whenever the loss has not decreased for several frames."""
    optimizer: OptimizerName = "Adam"
    """Optimizer of the latent."""
    precision: Precision | None = None
    """Precision of the networks. Defaults to bfloat16 (faster, less exact) on GPUs that support it, else float32."""
    deterministic: bool = False
    """Uses deterministic cuDNN kernels, for bitwise reproducible results on a GPU; slower. CPU runs always are."""
    memory: MemoryOptions | None = None
    """Memory options. If absent, chosen from the memory limit."""
    compat: Literal["upstream"] | None = None
    """upstream: reproduces behavior of the original programs, listed in docs/vqgan-clip.md."""
    image: Image | None = None
    """One still image."""
    video: Video | None = None
    """A video."""
    style_transfer: StyleTransfer | None = None
    """Style transfer onto another video."""
    timelapse: Timelapse | None = None
    """Time-lapse of one image being optimized."""

    def form(self) -> tuple[str, Form]:
        """Return the wire name of the form in use, and the form."""
        return cast("tuple[str, Form]", super().form())

    def frame_count(self) -> int | None:
        """Number of frames of the form; None for a style transfer, which depends on its source."""
        return self.form()[1].frame_count()

    def video_frame_count(self, *, fps: float) -> int | None:
        """Maximum number of frames of the form, including the blends of a timelapse."""
        _, form = self.form()
        frames = form.max_frame_count()
        return None if frames is None else frames * form.images_per_frame()

    def frame_size(self) -> tuple[int, int]:
        """Requested width and height in pixels; the frames may be slightly smaller."""
        return self.width, self.height

    def scratch_bytes(self, *, fps: float) -> int | None:
        """Approximate bytes of all frames as PNG, including the source frames of a style transfer."""
        frames = self.form()[1].max_frame_count()
        images = 2 if self.style_transfer else 1
        return None if frames is None else math.ceil(frames * images * png_bytes(self.width * self.height))

    def title(self) -> str | None:
        """The text prompts, used as the video's title."""
        return self.form()[1].prompts

"""Fields of `pipeline.vqganClip`: a VQGAN's latent steered by CLIP towards text (specification §2 to §4)."""

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
"""What the latent is without a picture: codes drawn at random, or an encoded picture of gray, noise or gradients."""
InitWeightMethod = Literal["original", "decay"]
"""How an init weight acts in every form."""
OptimizerName = Literal["Adam", "AdamW", "Adagrad", "Adamax", "DiffGrad", "RAdam", "RMSprop", "AdamP"]
"""The optimisers of upstream programs, under their names there."""
Precision = Literal["float32", "bfloat16"]
"""Types of numbers, under torch's names."""
CutMethod = Literal["original", "kornia", "sg3", "nrupdated", "latest", "updatedpooling", "nvg"]
"""The ways in which upstream programs cut, under their names there; `nvg` is the container's."""
Augment = Literal["Af", "Cr", "Er", "Et", "Gn", "Ji", "Pe", "Re", "Ro", "Sh", "Ts"]
"""The augmentations of the command-line program, under its codes."""


class PromptedForm(Document):
    """What a form steers towards: at least one of three kinds of prompts, all in the same language."""

    rules: ClassVar[tuple[Rule, ...]] = (at_least_one("prompts", "image_prompts", "noise_prompts"),)
    prompts: Prompts | None = None
    """What to show: `text[:weight[:stop]]`, several joined by `|`; `^` separates phrases that follow each other."""
    image_prompts: Prompts | None = None
    """Pictures to come close to: `path[:weight[:stop]]`, paths below `input/`; `|` and `^` as in prompts."""
    noise_prompts: Prompts | None = None
    """Random directions to go in: `seed[:weight[:stop]]`; `|` and `^` as in prompts."""

    def frame_count(self) -> int | None:
        """How many frames the form makes; None: only the engine knows."""
        return None

    def max_frame_count(self) -> int | None:
        """A bound where the number itself is not known; None: there is none."""
        return self.frame_count()

    def images_per_frame(self) -> int:
        """About how many images of the video come from each frame."""
        return 1


class SmootherOptions(Document):
    """Averages the latents of neighbouring frames, so that a video flickers less."""

    length: Annotated[int, Field(ge=1, le=99), ODD] = 5
    """Frames in the average, the shown one in their middle; odd. Fewer at both ends of the video."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Each step away from the middle counts 1 − alpha as much as the one before; 0: all alike."""


class Image(PromptedForm):
    """One picture, which has a single phrase."""

    iterations: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Steps of optimisation."""
    save_every: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Also keep the picture of every so many iterations as a frame; absent: the last one only."""

    def frame_count(self) -> int:
        """A frame after every `save_every` iterations, and one after the last unless they coincide."""
        return math.ceil(self.iterations / (self.save_every or self.iterations))


class Video(PromptedForm):
    """Frames, each trained on from the last; the camera zooms, turns and shifts between them."""

    rules: ClassVar[tuple[Rule, ...]] = (*PromptedForm.rules, increasing("change_prompts_on_frame", maximum="frames"))
    frames: Annotated[int, Field(ge=1, le=100_000)]
    """How many frames the video has."""
    iterations_per_frame: Annotated[int, Field(ge=1, le=10_000)] = 30
    """Steps of optimisation for each frame."""
    iterations_for_first_frame: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Extra iterations before the first frame; skipped with an init image."""
    change_prompts_on_frame: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=256)] | None = None
    """1-based frames from which the next phrase counts, rising. Absent: the phrases share the frames evenly."""
    zoom: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    """Enlargement between two frames; below 1 shrinks."""
    rotate: Annotated[float, Field(ge=-180, le=180)] = 0.0
    """Degrees clockwise between two frames; below 0: the other way round."""
    shift_x: Annotated[int, Field(ge=-4096, le=4096)] = 0
    """Pixels to the right between two frames, wrapping."""
    shift_y: Annotated[int, Field(ge=-4096, le=4096)] = 0
    """Pixels down between two frames, wrapping."""
    smoother: SmootherOptions | None = None
    """Averages neighbouring frames' latents. Absent: frames are shown as they are."""

    def frame_count(self) -> int:
        """As many as are asked for."""
        return self.frames


class RestyleOptions(Document):
    """Each frame from scratch, as an older function of the library did: more flicker, and no drift."""

    blend: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Share of the frame before in what a frame starts from; the rest is its source."""
    previous_prompt_weight: Annotated[float, Field(ge=-100, le=100)] = 0.0
    """The frame before as an image prompt of this weight; 0: none."""


class StyleTransfer(PromptedForm):
    """
    Another video's frames drawn towards the prompts, each trained on from the last and held near its source.

    What was made moves along with what moves in the source.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        *PromptedForm.rules,
        increasing("change_prompts_on_frame"),
        excludes("start", other="restyle", explanation="it starts each frame from its source"),
    )
    source: RelativePath
    """A video below `input/`, or a folder of pictures in the order of their names. Its proportions are kept."""
    source_fps: Annotated[float, Field(gt=0, le=240)] | None = None
    """Frames per second to take of a video; absent: `encoding.fps`."""
    frames: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """At most so many of them; absent: all."""
    iterations_per_frame: Annotated[int, Field(ge=1, le=10_000)] = 15
    """Steps of optimisation for each frame."""
    iterations_for_first_frame: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Extra iterations before the first frame; absent: as many as for each, with restyle none."""
    source_weight: Annotated[float, Field(ge=0, le=1000)] | None = None
    """How strongly a frame is held near its source, colours too; absent: 2, beside sourceLayoutWeight or restyle 0."""
    source_weight_fades: bool = False
    """It fades with every iteration of a frame, from more than three times as strong."""
    source_layout_weight: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """How strongly a frame keeps its source's layout, in any colours, after a fifth of the lead. 0: not at all."""
    start: LatentInit | None = None
    """Start of the first frame instead of its source: random codes, or gray, noisy pixels, a gradient."""
    source_prompt_weight: Annotated[float, Field(ge=-100, le=100)] = 0.0
    """The source frame as an image prompt of this weight too; 0: none."""
    change_prompts_on_frame: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=256)] | None = None
    """1-based frames from which the next phrase counts, rising. Absent: the phrases share the frames evenly."""
    smoother: SmootherOptions | None = None
    """Averages neighbouring frames' latents. Absent: frames are shown as they are."""
    restyle: RestyleOptions | None = None
    """Starts each frame anew instead of training on."""

    def max_frame_count(self) -> int | None:
        """The source may have fewer."""
        return self.frames


class Timelapse(PromptedForm):
    """
    A film of one picture that comes about: a frame for each iteration.

    The mp4 begins with a title card and fades over from the init image; between iterations it blends; it runs back to
    the beginning and fades into the init image again. The frames beside it are the iterations alone.
    """

    iterations: Annotated[int, Field(ge=1, le=99_999)] = 300
    """Steps of optimisation; there is one frame more than steps, the start."""
    learning_rate_growth: Annotated[float, Field(ge=1, le=2)] = 1.02
    """Factor on the learning rate from each iteration to the next."""
    learning_rate_cap: Annotated[float, Field(gt=0, le=10)] | None = None
    """What it grows to; absent: the pack's learning rate, else 0.1. Without learningRate it begins with a fifth."""
    in_betweens: Annotated[int, Field(ge=0, le=59)] = 4
    """Blended frames between two iterations."""
    boomerang: bool = True
    """Afterwards everything backwards."""
    title: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """Text of the title card; absent: the first prompt's."""
    title_seconds: Annotated[float, Field(ge=0, le=3600)] = 3.5
    """How long it stands; 0, or without any text: no card."""
    fade_seconds: Annotated[float, Field(ge=0, le=3600)] = 2.5
    """Length of each fade; without an init image there is none."""

    def frame_count(self) -> int:
        """The start, and one after each iteration."""
        return self.iterations + 1

    def images_per_frame(self) -> int:
        """Each frame with the blends after it, forwards and perhaps backwards; title card and fades take no disk."""
        return (self.in_betweens + 1) * (2 if self.boomerang else 1)


class MemoryOptions(Document):
    """How a run spends memory; what is absent here it chooses by itself, the fastest way that fits."""

    views_at_once: Annotated[int, Field(ge=1, le=256)] | None = None
    """How many cutouts CLIP works on at a time: fewer take less. It moves the last bits of a picture, no more."""
    recompute: bool | None = None
    """Keep half as much of the generator's work and compute its way forward twice, to the same bits."""


Form = Image | Video | StyleTransfer | Timelapse
GENERATOR = ModelRole(name="generator", kind="vqgan", default="shapes-vqgan")
PERCEPTOR = ModelRole(name="perceptor", kind="clip", default="shapes-clip")


class VqganClipPipeline(PipelineSpec):
    """A picture or a video steered by prompts: common fields, and exactly one form."""

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
    """Pixels; rounded down to a multiple of the generator's factor, 16 for most."""
    height: Annotated[int, Field(ge=16, le=4096)] = 256
    """Pixels; rounded down like the width."""
    seed: Annotated[int, Field(ge=0, le=9_007_199_254_740_991)] | None = None
    """Absent: drawn and recorded in the manifest."""
    init_image: RelativePath | None = None
    """A picture below `input/` to start from."""
    fit: Literal["stretch", "aspect"] = "stretch"
    """An init image of other proportions is stretched, or its proportions are kept at about width × height pixels."""
    start: LatentInit | None = None
    """Start without an init image: random codes, or gray, noisy pixels, a gradient. Absent: the pack's choice."""
    init_weight: Annotated[float, Field(ge=0, le=1000)] | None = None
    """How strongly the latent is held back while the prompts pull at it; absent: not at all."""
    init_weight_method: InitWeightMethod | None = None
    """What holds it: its start (original, also when absent), or zero with a force that fades (decay)."""
    cuts: Annotated[int, Field(ge=1, le=256)] | None = None
    """Cutouts each iteration; absent: the pack's choice, else 32."""
    cut_method: CutMethod = "kornia"
    """original, sg3: plain crops; kornia, nvg, nrupdated: augmented; latest, updatedpooling: the whole, augmented."""
    augments: Annotated[list[Augment], Field(max_length=16)] | None = None
    """Augmentations of latest and nrupdated, in their order; absent: Af, Pe, Ji, Er; empty: none."""
    cut_power: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Above 1: more small cutouts; below 1: more large ones."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None
    """Step size of the optimiser. Absent: the pack's choice, else 0.1."""
    adaptive_learning_rate: bool = False
    """Divide the learning rate by ten whenever the loss has stopped falling for some frames."""
    optimizer: OptimizerName = "Adam"
    """How the latent is moved."""
    precision: Precision | None = None
    """What the networks compute in; absent: bfloat16, faster and coarser, on GPUs that have it, else float32."""
    deterministic: bool = False
    """On a GPU, have cuDNN repeat itself bit by bit, which is slower. CPUs always do."""
    memory: MemoryOptions | None = None
    """How it spends memory; absent: as its limit allows."""
    compat: Literal["upstream"] | None = None
    """upstream: habits of the original programs that older videos depend on, listed in docs/vqgan-clip.md."""
    image: Image | None = None
    """One picture."""
    video: Video | None = None
    """A video."""
    style_transfer: StyleTransfer | None = None
    """Another video in another style."""
    timelapse: Timelapse | None = None
    """A film of one picture that comes about."""

    def form(self) -> tuple[str, Form]:
        """The form that is given, after its name on the wire."""
        return cast("tuple[str, Form]", super().form())

    def frame_count(self) -> int | None:
        """The form's; a style transfer's depends on its source."""
        return self.form()[1].frame_count()

    def video_frame_count(self, *, fps: float) -> int | None:
        """The form's frames at most, and what a timelapse shows between them."""
        _, form = self.form()
        frames = form.max_frame_count()
        return None if frames is None else frames * form.images_per_frame()

    def frame_size(self) -> tuple[int, int]:
        """Width and height; the frames' own may be a little less."""
        return self.width, self.height

    def scratch_bytes(self, *, fps: float) -> int | None:
        """All frames as PNG, and beside a style transfer's those of its source."""
        frames = self.form()[1].max_frame_count()
        images = 2 if self.style_transfer else 1
        return None if frames is None else math.ceil(frames * images * png_bytes(self.width * self.height))

    def title(self) -> str | None:
        """The prompts."""
        return self.form()[1].prompts

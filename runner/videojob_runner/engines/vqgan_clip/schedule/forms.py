"""The iterations of each form: its story, its schedule, and when its learning rate loses patience."""

from __future__ import annotations

from typing import Final

from videojob_api.pipelines.vqgan_clip import Image, StyleTransfer, Timelapse, Video

from videojob_runner.engines.vqgan_clip.config import FIELD_PREFIX, VqganClipConfig, is_upstream, selected_form
from videojob_runner.engines.vqgan_clip.pack_defaults import GeneratorDefaults
from videojob_runner.engines.vqgan_clip.prompts.grammar import Phrase, phrase_at_frame
from videojob_runner.engines.vqgan_clip.prompts.tracks import merge_tracks
from videojob_runner.engines.vqgan_clip.schedule.iterations import IterationSchedule, LearningRate
from videojob_runner.engines.vqgan_clip.schedule.plateau import PlateauOptions
from videojob_runner.errors import BadConfig

PLATEAU_FRAMES: Final = 10
"""Frames of a video without a lower loss before an adaptive learning rate falls."""
PLATEAU_FRACTION: Final = 0.1
"""The same of an image or a timelapse, as a part of its iterations."""
UPSTREAM_PATIENCE: Final = 10
"""Iterations, torch's own default."""


def read_prompts(config: VqganClipConfig) -> tuple[Phrase, ...]:
    """The prompts of the form. Raises BadConfig naming the place of a fault."""
    name, chosen = selected_form(config)
    field = f"{FIELD_PREFIX}.{name}"
    phrases = merge_tracks(chosen, field=field, upstream=is_upstream(config))
    if isinstance(chosen, Image) and is_upstream(config):
        return phrases[:1]  # the original's image silently takes the first
    if isinstance(chosen, Image) and len(phrases) > 1:
        raise BadConfig("a still image has one phrase; use | instead of ^, or use the form video", field=field)
    if isinstance(chosen, Video) and len(phrases) > chosen.frames and chosen.change_prompts_on_frame is None:
        raise BadConfig(f"{len(phrases)} phrases cannot share {chosen.frames} frames; add frames", field=field)
    if isinstance(chosen, Timelapse) and len(phrases) > chosen.iterations:
        raise BadConfig(
            f"{len(phrases)} phrases cannot share {chosen.iterations} iterations; increase iterations", field=field
        )
    return phrases


def build_schedule(
    config: VqganClipConfig, pack: GeneratorDefaults, *, phrases: int, sources: int
) -> IterationSchedule:
    """The iterations of the form that is set; `sources` is how many frames a style transfer starts from."""
    _, chosen = selected_form(config)
    if isinstance(chosen, Image):
        return image_schedule(config, chosen, pack)
    if isinstance(chosen, Timelapse):
        return timelapse_schedule(config, chosen, pack, phrases=phrases)
    if isinstance(chosen, StyleTransfer):
        return style_schedule(config, chosen, pack, phrases=phrases, sources=sources)
    return video_schedule(config, chosen, pack, phrases=phrases)


def image_schedule(config: VqganClipConfig, image: Image, pack: GeneratorDefaults) -> IterationSchedule:
    """One run-up, and a frame now and then."""
    per_frame = image.save_every or image.iterations
    return IterationSchedule(
        total=image.iterations,
        per_frame=per_frame,
        rates=learning_rate(config, pack, end=pack.learning_rate_final),
        decay_iterations=image.iterations,
        phrases=(0,) * image.frame_count(),
        first_fade_step=1,
    )


def video_schedule(
    config: VqganClipConfig, video: Video, pack: GeneratorDefaults, *, phrases: int
) -> IterationSchedule:
    """A lead, and as many iterations for each frame."""
    lead = 0 if config.init_image else video.iterations_for_first_frame
    changes = video.change_prompts_on_frame
    if changes and is_upstream(config):
        changes = [change + 1 for change in changes]  # it changes only after a frame was trained
    return IterationSchedule(
        total=lead + video.frames * video.iterations_per_frame,
        per_frame=video.iterations_per_frame,
        rates=learning_rate(config, pack, end=pack.learning_rate_next_frames),
        decay_iterations=lead + video.iterations_per_frame,
        phrases=phrase_per_frame(video.frames, phrases=phrases, changes=changes),
        warmup=lead,
        fade_period=video.iterations_per_frame,
    )


def timelapse_schedule(
    config: VqganClipConfig, timelapse: Timelapse, pack: GeneratorDefaults, *, phrases: int
) -> IterationSchedule:
    """A frame before each iteration and one after the last; the rate grows (specification vqgan-clip §1.9)."""
    of_frames = phrase_per_frame(timelapse.iterations, phrases=phrases, changes=None)
    cap = timelapse.learning_rate_cap or pack.learning_rate
    start = config.learning_rate or cap / 5  # the original's 0.02 is a fifth of its cap
    return IterationSchedule(
        total=timelapse.iterations,
        per_frame=1,
        rates=LearningRate(start=start, end=start, growth=timelapse.learning_rate_growth, cap=max(cap, start)),
        decay_iterations=timelapse.iterations,
        phrases=(*of_frames, of_frames[-1]),
        frames_before_steps=True,
    )


def style_schedule(
    config: VqganClipConfig, style: StyleTransfer, pack: GeneratorDefaults, *, phrases: int, sources: int
) -> IterationSchedule:
    """
    A lead on the first source, and as many iterations for each (§4.4), in which the rate falls as in a picture: each
    has a source of its own to come to. A restyled frame is a run-up of its own, at the steady rate of the original.
    """
    changes = style.change_prompts_on_frame
    if phrases > sources and changes is None:
        message = f"{phrases} phrases cannot share the source's {sources} frames; increase sourceFps, or remove phrases"
        raise BadConfig(message, field=f"{FIELD_PREFIX}.styleTransfer.prompts")
    each, lead = style.iterations_per_frame, style.iterations_for_first_frame
    if lead is None:
        lead = 0 if style.restyle else each
    trained_on = not style.restyle and not is_upstream(config)
    return IterationSchedule(
        total=lead + sources * each,
        per_frame=each,
        rates=learning_rate(config, pack, end=None if style.restyle else pack.learning_rate_next_frames),
        decay_iterations=lead + each,
        frame_rates=learning_rate(config, pack, end=pack.learning_rate_final) if trained_on else None,
        phrases=phrase_per_frame(sources, phrases=phrases, changes=changes),
        warmup=lead,
        first_fade_step=1,
        fade_period=each,
    )


def phrase_per_frame(frames: int, *, phrases: int, changes: list[int] | None) -> tuple[int, ...]:
    """The phrase (0-based) of each frame."""
    return tuple(
        phrase_at_frame(frame, frames=frames, phrases=phrases, changes=changes) for frame in range(1, frames + 1)
    )


def plateau_options(config: VqganClipConfig) -> PlateauOptions:
    """Some frames of a video, or a part of all iterations; the original's ten iterations of single losses."""
    if is_upstream(config):
        return PlateauOptions(patience=UPSTREAM_PATIENCE, upstream=True)
    _, chosen = selected_form(config)
    if isinstance(chosen, Image | Timelapse):
        return PlateauOptions(patience=max(round(chosen.iterations * PLATEAU_FRACTION), UPSTREAM_PATIENCE))
    return PlateauOptions(patience=PLATEAU_FRAMES * chosen.iterations_per_frame)


def learning_rate(config: VqganClipConfig, pack: GeneratorDefaults, *, end: float | None) -> LearningRate:
    """The user's constant rate, or the pack's with its `end`."""
    start = config.learning_rate or pack.learning_rate
    own = config.learning_rate is not None or end is None
    return LearningRate(start=start, end=start if own or end is None else end)

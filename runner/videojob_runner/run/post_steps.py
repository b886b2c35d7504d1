"""
The job's steps after its frames, `post`: made ready before the engine works, done while the video is encoded.

Whatever a step lacks (a pack, a sound file, room for larger pictures) is said before hours of work, not after. Large
frames are kept beside the engine's own, which stay as they were: a run that was interrupted goes on with either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from videojob_api.pipelines.base import UPSCALER
from videojob_api.resource.post import Audio, Upscale

from videojob_runner.contract.job import RunnerJob
from videojob_runner.engine.api import ProgressCallback, StopSignal, TaskContext
from videojob_runner.errors import BadConfig, Interrupted
from videojob_runner.media.frame_stream import FrameStream, StreamFrame, add_audio, interpolate, upscale
from videojob_runner.media.limits import scaled_size

FrameTransform = Callable[[FrameStream], FrameStream]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostOutput:
    """Where large frames are kept, and whether those that lie there are this job's own."""

    folder: Path
    resume: bool


@dataclass(slots=True)
class CombinedProgress:
    """One scale for the engine's units of work and the frames that go through the steps after it (quirk Q-10)."""

    report: ProgressCallback
    post_frames: int
    """Frames that will go through the steps; 0 where only the engine knows."""
    engine_total: int = 0
    """The engine's own total."""

    def __call__(self, done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
        """The engine's word (`engine.api.ProgressCallback`)."""
        self.engine_total = total
        self.report(done, total + self.post_frames, message, metrics=metrics)

    def track(self, footage: FrameStream, *, stop: StopSignal) -> FrameStream:
        """The footage, each frame of it told, and Interrupted raised between two of them when the run shall stop."""
        return replace(footage, frames=self._told_one_by_one(footage, stop))

    def _told_one_by_one(self, footage: FrameStream, stop: StopSignal) -> Iterator[StreamFrame]:
        for done, frame in enumerate(footage.frames, start=1):
            if stop.is_set():
                raise Interrupted(f"stopped before frame {done} went through the steps after the engine")
            yield frame
            if done <= self.post_frames:
                self.report(
                    self.engine_total + done,
                    self.engine_total + self.post_frames,
                    f"after the engine: frame {done} of {self.post_frames}",
                )


def build_post_steps(
    job: RunnerJob, context: TaskContext, kept: PostOutput, *, progress: CombinedProgress
) -> list[FrameTransform]:
    """The job's steps, watched, with all they need at hand. Raises BadConfig, BadInput, UnsafeCheckpoint."""
    steps: list[FrameTransform] = [partial(progress.track, stop=context.stop)] if job.post else []
    size = job.size
    for index, step in enumerate(job.post):
        field = f"post[{index}]"
        if step.upscale is not None:
            size = _larger(size, step.upscale, field=field)
            place = PostOutput(folder=kept.folder / f"{index + 1}-upscale", resume=kept.resume)
            steps.append(_upscaling(step.upscale, context, place))
        elif step.interpolate is not None:
            steps.append(_interpolating(step.interpolate.fps))
        elif step.audio is not None:
            steps.append(_with_sound(step.audio, context, field=f"{field}.audio.input"))
    return steps


def _larger(size: tuple[int, int], step: Upscale, *, field: str) -> tuple[int, int]:
    try:
        return scaled_size(*size, step.scale)
    except ValueError as error:
        raise BadConfig(str(error), field=f"{field}.upscale.scale") from None


def _upscaling(step: Upscale, context: TaskContext, kept: PostOutput) -> FrameTransform:
    # Here rather than above: they import torch, which TEST must not.
    from videojob_runner.models.packs.reader import Pack  # noqa: PLC0415
    from videojob_runner.models.upscaler.model import Upscaler  # noqa: PLC0415

    pack = Pack.open(context.models.folder(UPSCALER.name, default=UPSCALER.default), kind="upscaler")
    context.versions[UPSCALER.name] = f"{pack.name}@{pack.digest}"
    upscaler = Upscaler.load(pack, device=context.device)
    return lambda footage: upscale(
        footage, upscaler, scale=step.scale, tile=step.tile, keep=kept.folder, resume=kept.resume
    )


def _interpolating(fps: int) -> FrameTransform:
    return lambda footage: interpolate(footage, fps=fps)


def _with_sound(step: Audio, context: TaskContext, *, field: str) -> FrameTransform:
    source = context.input_file(step.input, field=field)
    add_audio(FrameStream(frames=(), fps=1), source)  # raises now rather than after the engine's hours
    return lambda footage: add_audio(footage, source)

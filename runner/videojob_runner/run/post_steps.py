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

from videojob_runner.contract.job import Job
from videojob_runner.engine.api import Progress, RunContext, Stop
from videojob_runner.errors import BadConfig, Interrupted
from videojob_runner.media.frame_stream import Footage, Frame, add_sound, interpolate, upscale
from videojob_runner.media.limits import enlarged_size

Step = Callable[[Footage], Footage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where large frames are kept, and whether those that lie there are this job's own."""

    folder: Path
    resume: bool


@dataclass(slots=True)
class SharedProgress:
    """One scale for the engine's units of work and the frames that go through the steps after it (quirk Q-10)."""

    tell: Progress
    later: int
    """Frames that will go through the steps; 0 where only the engine knows."""
    told: int = 0
    """The engine's own total."""

    def __call__(self, done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
        """The engine's word (`engine.Progress`)."""
        self.told = total
        self.tell(done, total + self.later, message, metrics=metrics)

    def watched(self, footage: Footage, *, stop: Stop) -> Footage:
        """The footage, each frame of it told, and Interrupted raised between two of them when the run shall stop."""
        return replace(footage, frames=self._told_one_by_one(footage, stop))

    def _told_one_by_one(self, footage: Footage, stop: Stop) -> Iterator[Frame]:
        for done, frame in enumerate(footage.frames, start=1):
            if stop.is_set():
                raise Interrupted(f"stopped before frame {done} went through the steps after the engine")
            yield frame
            if done <= self.later:
                self.tell(self.told + done, self.told + self.later, f"after the engine: frame {done} of {self.later}")


def prepared(job: Job, context: RunContext, kept: Kept, *, progress: SharedProgress) -> list[Step]:
    """The job's steps, watched, with all they need at hand. Raises BadConfig, BadInput, UnsafeCheckpoint."""
    steps: list[Step] = [partial(progress.watched, stop=context.stop)] if job.post else []
    size = job.size
    for index, step in enumerate(job.post):
        field = f"post[{index}]"
        if step.upscale is not None:
            size = _larger(size, step.upscale, field=field)
            place = Kept(folder=kept.folder / f"{index + 1}-upscale", resume=kept.resume)
            steps.append(_upscaling(step.upscale, context, place))
        elif step.interpolate is not None:
            steps.append(_interpolating(step.interpolate.fps))
        elif step.audio is not None:
            steps.append(_with_sound(step.audio, context, field=f"{field}.audio.input"))
    return steps


def _larger(size: tuple[int, int], step: Upscale, *, field: str) -> tuple[int, int]:
    try:
        return enlarged_size(*size, step.scale)
    except ValueError as error:
        raise BadConfig(str(error), field=f"{field}.upscale.scale") from None


def _upscaling(step: Upscale, context: RunContext, kept: Kept) -> Step:
    # Here rather than above: they import torch, which TEST must not.
    from videojob_runner.models.packs.reader import Pack  # noqa: PLC0415
    from videojob_runner.models.upscaler.model import Upscaler  # noqa: PLC0415

    pack = Pack.open(context.models.folder(UPSCALER.name, default=UPSCALER.default), kind="upscaler")
    context.versions[UPSCALER.name] = f"{pack.name}@{pack.digest}"
    upscaler = Upscaler.load(pack, device=context.device)
    return lambda footage: upscale(
        footage, upscaler, scale=step.scale, tile=step.tile, keep=kept.folder, resume=kept.resume
    )


def _interpolating(fps: int) -> Step:
    return lambda footage: interpolate(footage, fps=fps)


def _with_sound(step: Audio, context: RunContext, *, field: str) -> Step:
    source = context.input_file(step.input, field=field)
    add_sound(Footage(frames=(), fps=1), source)  # raises now rather than after the engine's hours
    return lambda footage: add_sound(footage, source)

"""From frames to the mp4, and what tells of the whole run at one glance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from videojob_runner.contract.io_folder import IoFolder
from videojob_runner.contract.job import Job
from videojob_runner.contract.metrics_log import MetricsLog
from videojob_runner.contract.status import StatusWriter
from videojob_runner.engine.api import Outcome
from videojob_runner.errors import RunnerError
from videojob_runner.media.contact_sheet import contact_sheet
from videojob_runner.media.ffmpeg import ffmpeg_version
from videojob_runner.media.frame_stream import Footage, Frame, encode, of_pictures
from videojob_runner.media.frames import frame_files, read_frame
from videojob_runner.media.metadata import mp4_metadata
from videojob_runner.run.post_steps import Step


@dataclass(frozen=True, slots=True)
class Made:
    """What the frames on disk must be, and what is still to be done to them."""

    outcome: Outcome
    steps: Sequence[Step] = ()


def encode_video(job: Job, folder: IoFolder, status: StatusWriter, made: Made) -> None:
    """Makes the mp4 of all frames; afterwards it exists, whole, or EncodingFailed says why not."""
    files, film = frame_files(folder.frames), made.outcome.film
    if len(files) != made.outcome.frames:
        raise RunnerError(f"there are {len(files)} frames on disk, but {made.outcome.frames} were made")
    status.phase("encoding")
    status.versions["ffmpeg"] = ffmpeg_version()
    footage = of_pictures(files, fps=job.fps)
    if film is not None:
        shown = film(len(files), lambda index: read_frame(files[index]))
        footage = Footage(frames=map(Frame, shown), fps=job.fps)
    for step in made.steps:
        footage = step(footage)
    metadata = mp4_metadata(about(job, seed=status.versions.get("seed")))
    encode(footage, folder.video(job.video), crf=job.crf, metadata=metadata)


def about(job: Job, *, seed: str | None) -> dict[str, object]:
    """What the video says about itself: its title if it has any, the seed if one was used, the whole pipeline."""
    pipeline = json.dumps({job.arm: job.options}, ensure_ascii=False)
    return {"text_prompts": job.title, "seed": seed, "pipeline": pipeline}


def summarise(job: Job, folder: IoFolder) -> None:
    """Leaves the frames at one glance, if there are several, and the plot of losses, if there are any."""
    for path in (folder.contact_sheet, folder.losses):
        path.unlink(missing_ok=True)
    if len(files := frame_files(folder.frames)) > 1:
        contact_sheet(files, folder.contact_sheet)
    MetricsLog(folder=folder.root).plot(folder.losses, title=job.video.removesuffix(".mp4"))

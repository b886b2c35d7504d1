"""From frames to the mp4, and what tells of the whole run at one glance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from videojob_runner.contract.io_folder import IoFolder
from videojob_runner.contract.job import RunnerJob
from videojob_runner.contract.metrics_log import MetricsLog
from videojob_runner.contract.status import StatusWriter
from videojob_runner.engine.api import TaskResult
from videojob_runner.errors import RunnerError
from videojob_runner.media.contact_sheet import write_contact_sheet
from videojob_runner.media.ffmpeg import ffmpeg_version
from videojob_runner.media.frame_stream import FrameStream, StreamFrame, from_images, write_video
from videojob_runner.media.frames import list_frames, read_frame
from videojob_runner.media.metadata import mp4_metadata
from videojob_runner.run.post_steps import FrameTransform


@dataclass(frozen=True, slots=True)
class RunOutput:
    """What the frames on disk must be, and what is still to be done to them."""

    result: TaskResult
    post_steps: Sequence[FrameTransform] = ()


def encode_video(job: RunnerJob, folder: IoFolder, status: StatusWriter, made: RunOutput) -> None:
    """Makes the mp4 of all frames; afterwards it exists, whole, or EncodingFailed says why not."""
    files, film = list_frames(folder.frames), made.result.composer
    if len(files) != made.result.frames:
        raise RunnerError(f"there are {len(files)} frames on disk, but {made.result.frames} were made")
    status.phase("encoding")
    status.versions["ffmpeg"] = ffmpeg_version()
    footage = from_images(files, fps=job.fps)
    if film is not None:
        shown = film(len(files), lambda index: read_frame(files[index]))
        footage = FrameStream(frames=map(StreamFrame, shown), fps=job.fps)
    for step in made.post_steps:
        footage = step(footage)
    metadata = mp4_metadata(video_metadata(job, seed=status.versions.get("seed")))
    write_video(footage, folder.video(job.video), crf=job.crf, metadata=metadata)


def video_metadata(job: RunnerJob, *, seed: str | None) -> dict[str, object]:
    """What the video says about itself: its title if it has any, the seed if one was used, the whole pipeline."""
    pipeline = json.dumps({job.pipeline: job.options}, ensure_ascii=False)
    return {"text_prompts": job.title, "seed": seed, "pipeline": pipeline}


def summarise(job: RunnerJob, folder: IoFolder) -> None:
    """Leaves the frames at one glance, if there are several, and the plot of losses, if there are any."""
    for path in (folder.contact_sheet, folder.loss_plot):
        path.unlink(missing_ok=True)
    if len(files := list_frames(folder.frames)) > 1:
        write_contact_sheet(files, folder.contact_sheet)
    MetricsLog(folder=folder.root).plot(folder.loss_plot, title=job.video.removesuffix(".mp4"))

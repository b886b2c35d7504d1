"""TEST mode: frames that say who and which they are, at an even pace. Neither torch nor weights are needed."""

from __future__ import annotations

from collections.abc import Callable

from videojob_runner.contract.job import RunnerJob
from videojob_runner.engine.api import ProgressCallback, StopSignal
from videojob_runner.errors import Interrupted
from videojob_runner.media.frames import FrameWriter
from videojob_runner.media.text_frames import simulated_frame


def simulated_frame_count(job: RunnerJob, *, seconds: int) -> int:
    """As many as the real work would make; where only the engine knows, as many as `seconds` of video take."""
    return job.simulated_frames or max(1, round(job.fps * seconds))


def simulate(
    job: RunnerJob,
    frames: FrameWriter,
    progress: ProgressCallback,
    *,
    seconds: int,
    stop: StopSignal,
    clock: Callable[[], float],
) -> int:
    """
    Makes the frames within `seconds` of wall time and returns how many; sleeps by `stop.wait`.

    Raises Interrupted when asked to stop.
    """
    total, began = simulated_frame_count(job, seconds=seconds), clock()
    for index in range(total):
        frames.write(index, simulated_frame(job.uid, index=index, total=total, size=job.size))
        frames.flush()
        progress(index + 1, total, f"frame {index + 1} of {total}")
        stop.wait(max(0.0, began + seconds * (index + 1) / total - clock()))
        if stop.is_set():
            raise Interrupted(f"stopped after frame {index + 1} of {total}")
    return total

"""Size of the scratch volume at `/video_io`, requested in advance so that the scheduler can account for it."""

from dataclasses import dataclass

from videojob_api.pipelines.base import png_bytes
from videojob_api.resource.spec import VideoJobSpec

GI = 1024**3
VIDEO_SHARE = 0.1
"""Size of an mp4 as a share of its raw frames; generous even for a few seconds of noise at crf 0."""


@dataclass(frozen=True, slots=True)
class ScratchSize:
    """`request` is reserved by the scheduler, `limit` is the maximum; quantities, None for no limit."""

    request: str
    limit: str | None


def scratch_size(spec: VideoJobSpec) -> ScratchSize:
    """The user's size, else an estimate, without a limit if frames, a custom image or inputs have unknown sizes."""
    if spec.pod and spec.pod.scratch:
        return ScratchSize(spec.pod.scratch.size, spec.pod.scratch.size)
    frame_bytes = _frame_bytes(spec)
    estimate = f"{(frame_bytes or 0) + _known_inputs(spec) + GI}"
    return ScratchSize(estimate, None if frame_bytes is None or not _all_sized(spec) else estimate)


def _frame_bytes(spec: VideoJobSpec) -> int | None:
    """Bytes of all frames as PNG, including those of upscale steps, and of the last step's video."""
    _, pipeline = spec.pipeline.member()
    fps = float(spec.encoding.fps)
    kept, frames = pipeline.scratch_bytes(fps=fps), pipeline.video_frame_count(fps=fps)
    if kept is None or frames is None:
        return None
    width, height = pipeline.frame_size()
    pixels, larger, shown = float(width * height), 0.0, float(frames)
    for step in spec.post or ():
        if step.upscale:
            pixels *= step.upscale.scale**2
            larger += png_bytes(pixels) * shown
        if step.interpolate:
            shown, fps = shown * step.interpolate.fps / fps, step.interpolate.fps
    return int(kept + larger + pixels * 3 * VIDEO_SHARE * shown)


def _known_inputs(spec: VideoJobSpec) -> int:
    return sum(item.size_bytes or 0 for item in spec.inputs or [] if item.access == "Copy")


def _all_sized(spec: VideoJobSpec) -> bool:
    return all(
        item.inline is not None or item.size_bytes is not None or item.access == "Mount" for item in spec.inputs or []
    )

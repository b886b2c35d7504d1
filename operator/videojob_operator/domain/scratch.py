"""Disk for `/video_io`, asked for in advance so that the scheduler knows and an eviction is ours, not the node's."""

from dataclasses import dataclass

from videojob_api.pipelines import VqganClip
from videojob_api.spec import VideoJobSpec

GI = 1024**3
PNG_SHARE = 0.6
"""A noisy picture as PNG, as a share of its raw size."""
VIDEO_SHARE = 0.1
"""An mp4, as a share of its raw frames; generous even for crf 0 noise of a few seconds."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """`request` is what the scheduler sets aside, `limit` what the pod may fill; quantities, None for no limit."""

    request: str
    limit: str | None


def scratch(spec: VideoJobSpec) -> Scratch:
    """The user's size, else an estimate, without a limit where it would be a guess (foreign images, inputs, films)."""
    if spec.pod and spec.pod.scratch:
        return Scratch(spec.pod.scratch.size, spec.pod.scratch.size)
    estimate = f"{_pictures_bytes(spec) + _known_inputs(spec) + GI}"
    return Scratch(estimate, estimate if _all_known(spec) else None)


def _pictures_bytes(spec: VideoJobSpec) -> int:
    """All frames as PNG, the engine's and the larger ones of each upscale step, and the video of the last of them."""
    pipeline = spec.pipeline.vqgan_clip
    if pipeline is None:
        return 0
    raw, frames, fps = float(pipeline.width * pipeline.height * 3), _frames(pipeline), spec.encoding.fps
    kept = raw * frames * (2 if pipeline.style_transfer else 1)  # its source's frames lie beside the ones it makes
    shown = float(frames * _repeats(pipeline))
    for step in spec.post or ():
        if step.upscale:
            raw *= step.upscale.scale**2
            kept += raw * shown
        if step.interpolate:
            shown, fps = shown * step.interpolate.fps / fps, step.interpolate.fps
    return int(kept * PNG_SHARE + raw * shown * VIDEO_SHARE)


def _frames(pipeline: VqganClip) -> int:
    frames = pipeline.style_transfer.frames if pipeline.style_transfer else pipeline.frame_count()
    return frames or 1


def _repeats(pipeline: VqganClip) -> int:
    """How many pictures of the video there are for each frame."""
    if pipeline.timelapse is None:
        return 1
    return (pipeline.timelapse.in_betweens + 1) * (2 if pipeline.timelapse.boomerang else 1)


def _known_inputs(spec: VideoJobSpec) -> int:
    return sum(item.size_bytes or 0 for item in spec.inputs or [] if item.access == "Copy")


def _all_known(spec: VideoJobSpec) -> bool:
    sized = (
        item.inline is not None or item.size_bytes is not None or item.access == "Mount" for item in spec.inputs or []
    )
    clip = spec.pipeline.vqgan_clip
    style = clip.style_transfer if clip else None
    return spec.pipeline.custom is None and all(sized) and (style is None or style.frames is not None)

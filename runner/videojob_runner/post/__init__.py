"""Frames after they were made: steps that can be called one by one, and the job's list of them."""

from videojob_runner.media.frame_stream import (
    FrameStream,
    StreamFrame,
    add_audio,
    from_folder,
    from_images,
    from_video,
    interpolate,
    upscale,
    write_video,
)

__all__ = [
    "FrameStream",
    "StreamFrame",
    "add_audio",
    "from_folder",
    "from_images",
    "from_video",
    "interpolate",
    "upscale",
    "write_video",
]

"""Frames after they were made: steps that can be called one by one, and the job's list of them."""

from videojob_runner.media.frame_stream import (
    Footage,
    Frame,
    add_sound,
    encode,
    interpolate,
    of_folder,
    of_pictures,
    of_video,
    upscale,
)

__all__ = ["Footage", "Frame", "add_sound", "encode", "interpolate", "of_folder", "of_pictures", "of_video", "upscale"]

"""Limits for the size and number of images."""

from __future__ import annotations

from typing import Final

MAX_FRAMES: Final = 100_000
"""Maximum number of frames of a video whose length is not known beforehand."""
MAX_SCALE: Final = 16.0
MAX_SIDE: Final = 16_384
"""Pixels; H.264 ends there."""


def scaled_size(width: int, height: int, scale: float) -> tuple[int, int]:
    """Width and height after enlargement. Raises ValueError for a scale or a result out of range."""
    if not 1 < scale <= MAX_SCALE:
        raise ValueError(f"scale must be above 1 and at most {MAX_SCALE:g}, not {scale}")
    size = round(width * scale), round(height * scale)
    if max(size) > MAX_SIDE:
        raise ValueError(f"{width}×{height} times {scale:g} has a side above {MAX_SIDE} pixels; use a smaller scale")
    return size

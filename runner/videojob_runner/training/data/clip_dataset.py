"""Datasets of clips: which frames of a clip a sample has, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from videojob_runner.training.data.sampler import Draw
from videojob_runner.training.data.transforms import ClipTransform

FrameIndices = npt.NDArray[np.int64]
FrameSelector = Callable[[int, np.random.Generator], FrameIndices]
"""Takes a clip's length and a generator; returns indices of its frames."""


class ClipSource(Protocol):
    """Clips that are read frame by frame; `VideoArray` and `hdf5.ClipShards` are such."""

    def __len__(self) -> int:
        """How many clips there are."""

    def clip(self, index: int, /) -> ClipFrames:
        """The frames of a clip."""


class ClipFrames(Protocol):
    """The frames of a clip, uint8 ``[T, H, W, 3]``; an array is one."""

    def __len__(self) -> int:
        """T."""

    def __getitem__(self, indices: FrameIndices, /) -> npt.NDArray[np.uint8]:
        """The frames of some indices, in their order."""


class ClipDataset:
    """One sample for each clip (`loader.DrawDataset`): some of its frames as a tensor."""

    def __init__(self, source: ClipSource, select: FrameSelector, transform: ClipTransform) -> None:
        self.source, self.select, self.transform = source, select, transform

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, draw: Draw) -> Tensor:
        """The transformed frames of clip `draw.index`, from uint8 ``[T, 3, H, W]``."""
        frames, rng = self.source.clip(draw.index), draw.rng()
        return self.transform(as_tensor(frames[self.select(len(frames), rng)]), rng)


class WindowDataset:
    """
    One sample for each window of `frames` frames, `stride` apart, in any clip (`loader.DrawDataset`).

    Shorter clips have none. Raises ValueError if no clip is long enough.
    """

    def __init__(self, source: ClipSource, *, frames: int, stride: int = 1, transform: ClipTransform) -> None:
        span = window_span(frames, stride)
        counts = [max(len(source.clip(index)) - span + 1, 0) for index in range(len(source))]
        if not any(counts):
            raise ValueError(f"no clip has the {span} frames that {frames} frames {stride} apart need")
        self.source, self.transform = source, transform
        self.offsets = np.arange(frames) * stride
        self.ends = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, draw: Draw) -> Tensor:
        """The transformed frames of window `draw.index`, from uint8 ``[T, 3, H, W]``."""
        clip, start = self.locate(draw.index)
        return self.transform(as_tensor(self.source.clip(clip)[start + self.offsets]), draw.rng())

    def locate(self, index: int) -> tuple[int, int]:
        """The clip of a window, and its first frame there."""
        clip = int(np.searchsorted(self.ends, index, side="right"))
        return clip, index - (int(self.ends[clip - 1]) if clip else 0)


def as_tensor(frames: npt.NDArray[np.uint8]) -> Tensor:
    """Frames ``[T, H, W, C]`` as a tensor ``[T, C, H, W]`` of its own memory."""
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))


def window_span(frames: int, stride: int) -> int:
    """How many frames of a clip a window covers."""
    if min(frames, stride) < 1:
        raise ValueError(f"frames and stride must be at least 1, not {frames} and {stride}")
    return (frames - 1) * stride + 1


def random_window(frames: int, *, stride: int = 1) -> FrameSelector:
    """`frames` frames, `stride` apart, from a random place; each possible place is equally likely."""
    span = window_span(frames, stride)

    def select(length: int, rng: np.random.Generator) -> FrameIndices:
        _check_length(length, span)
        return rng.integers(length - span + 1) + np.arange(frames) * stride

    return select


def fixed_window(frames: int, *, stride: int = 1, start: int = 0) -> FrameSelector:
    """`frames` frames, `stride` apart, from `start` on: for evaluation."""
    span = start + window_span(frames, stride)

    def select(length: int, rng: np.random.Generator) -> FrameIndices:
        _check_length(length, span)
        return start + np.arange(frames) * stride

    return select


def spread_frames(frames: int) -> FrameSelector:
    """`frames` frames spread over the whole clip, both ends included; a shorter clip repeats some."""

    def select(length: int, rng: np.random.Generator) -> FrameIndices:
        _check_length(length, 1)
        return np.linspace(0, length - 1, frames).round().astype(np.int64)

    return select


def split_indices(size: int, fractions: Sequence[float], *, seed: int) -> list[list[int]]:
    """
    Random disjoint parts of the indices 0…size − 1, such as training and validation, each in ascending order.

    `fractions` are 0…1 and sum up to 1; rounding goes to the first part.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"fractions: {list(fractions)} must not be negative, and sum up to 1")
    order = np.random.default_rng(seed).permutation(size)
    counts = [int(size * fraction) for fraction in fractions]
    counts[0] += size - sum(counts)
    ends = np.cumsum(counts)
    return [sorted(int(i) for i in order[end - count : end]) for count, end in zip(counts, ends, strict=True)]


def _check_length(length: int, needed: int) -> None:
    if length < needed:
        raise ValueError(f"a clip has {length} frames, but a sample needs {needed}; use longer clips or fewer frames")

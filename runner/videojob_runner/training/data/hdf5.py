"""
Clips in HDF5 shards, in the layout of the published Neural SDE and RIVER data sets.

`<folder>/shard_0001.hdf5`, … each hold a group `len` with the number of frames of each clip, an empty group `videos`,
and a group for each clip, named by its number in the shard, with a uint8 dataset ``[H, W, 3]`` for each frame.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import numpy.typing as npt

from videojob_runner.media.frames import RgbImage

MAX_CLIPS_PER_SHARD: Final = 100_000
SUFFIXES: Final = (".hdf5", ".h5")


def write_shards(
    folder: Path, clips: Iterable[Iterable[RgbImage]], *, clips_per_shard: int = MAX_CLIPS_PER_SHARD
) -> list[Path]:
    """
    Writes clips into a new folder, one frame in memory at a time; returns the shards.

    Raises FileExistsError if the folder exists, ValueError if a clip has no frames or there are no clips.
    """
    folder.mkdir(parents=True)
    shards: list[Path] = []
    file: h5py.File | None = None
    try:
        for number, frames in enumerate(clips):
            if number % clips_per_shard == 0:
                if file is not None:
                    file.close()
                shards.append(folder / f"shard_{len(shards) + 1:04}.hdf5")
                file = _new_shard(shards[-1])
            if file is not None:
                _write_clip(file, number % clips_per_shard, frames)
    finally:
        if file is not None:
            file.close()
    if not shards:
        raise ValueError("there are no clips to write")
    return shards


class ClipShards:
    """
    Clips of a folder of shards, or of one shard (`clip_dataset.ClipSource`).

    Each process opens each shard once, when it first needs it; handles are not inherited.
    """

    def __init__(self, path: Path) -> None:
        self.shards = _shards_of(path)
        self.lengths: list[npt.NDArray[np.int64]] = [_read_lengths(shard) for shard in self.shards]
        self.ends = np.cumsum([len(lengths) for lengths in self.lengths])
        self._files: dict[tuple[int, int], h5py.File] = {}

    def __len__(self) -> int:
        return int(self.ends[-1])

    def clip(self, index: int) -> ShardClip:
        """The frames of a clip, which are read when they are indexed. Raises IndexError if there is no such clip."""
        if not 0 <= index < len(self):
            raise IndexError(f"there is no clip {index}; there are {len(self)}")
        shard = int(np.searchsorted(self.ends, index, side="right"))
        local = index - (int(self.ends[shard - 1]) if shard else 0)
        return ShardClip(self._file(shard)[str(local)], int(self.lengths[shard][local]))

    def close(self) -> None:
        """Closes this process's files."""
        for (process, _), file in self._files.items():
            if process == os.getpid():
                file.close()
        self._files = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_files": {}}

    def _file(self, shard: int) -> h5py.File:
        key = (os.getpid(), shard)
        if key not in self._files:
            self._files[key] = h5py.File(self.shards[shard], "r")
        return self._files[key]


class ShardClip:
    """The frames of one clip in a shard (`clip_dataset.ClipFrames`)."""

    def __init__(self, group: h5py.Group, length: int) -> None:
        self.group, self.length = group, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The frames of some indices, ``[n, H, W, 3]``."""
        return np.stack([np.asarray(self.group[str(int(index))], dtype=np.uint8) for index in indices])


def _new_shard(path: Path) -> h5py.File:
    file = h5py.File(path, "x")
    file.create_group("len")
    file.create_group("videos")
    return file


def _write_clip(file: h5py.File, number: int, frames: Iterable[RgbImage]) -> None:
    group, count = file.create_group(str(number)), 0
    for frame in frames:
        if frame.dtype != np.uint8 or frame.ndim != 3:
            raise ValueError(f"clip {number}: a frame is {frame.dtype} {list(frame.shape)}, uint8 [H, W, 3] is needed")
        group.create_dataset(str(count), data=frame, compression="lzf")
        count += 1
    if count == 0:
        raise ValueError(f"clip {number} of {Path(file.filename).name} has no frames")
    file["len"].create_dataset(str(number), data=np.int64(count))


def _shards_of(path: Path) -> list[Path]:
    if path.suffix in SUFFIXES:
        return [path]
    shards = sorted(each for suffix in SUFFIXES for each in path.glob(f"*{suffix}"))
    if not shards:
        raise FileNotFoundError(f"{path}: has no file *.hdf5 or *.h5")
    return shards


def _read_lengths(shard: Path) -> npt.NDArray[np.int64]:
    """Keys are in alphabetical order in a file, so they are counted, and made from numbers."""
    with h5py.File(shard, "r") as file:
        lengths = file["len"]
        return np.array([int(lengths[str(number)][()]) for number in range(len(lengths))], dtype=np.int64)

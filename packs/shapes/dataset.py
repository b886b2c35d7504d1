"""The training pictures on disk: drawn once from fixed seeds, then memory-mapped by every stage."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packs.shapes import renderer
from packs.shapes import vocabulary as words

CHUNK_IMAGES, TRAIN_SEED, HELD_OUT_SEED = 2000, 1000, 7


@dataclass(frozen=True, slots=True)
class ShapesDataset:
    """Images uint8 ``[n, 96, 96, 3]`` with their attribute rows int8 ``[n, 7]``."""

    images: NDArray[np.uint8]
    rows: NDArray[np.int8]

    def easy_indices(self) -> NDArray[np.int64]:
        """Indices of plain single objects that are not small: what the curriculum starts with."""
        rows = self.rows
        return np.flatnonzero((rows[:, words.STYLE] == 0) & (rows[:, words.COUNT] == 1) & (rows[:, words.SIZE] > 0))

    def labelled_indices(self) -> NDArray[np.int64]:
        """Indices of the pictures that some caption is true of."""
        return np.flatnonzero(self.rows[:, words.COUNT] >= 0)


def training_images(folder: Path, count: int) -> ShapesDataset:
    """The first `count` training pictures, drawn into `folder` when they are not there yet."""
    images, rows = folder / f"images-{count}.npy", folder / f"rows-{count}.npy"
    if not rows.exists():
        sizes = [min(CHUNK_IMAGES, count - start) for start in range(0, count, CHUNK_IMAGES)]
        with ProcessPoolExecutor(max_workers=2) as pool:
            chunks = list(pool.map(renderer.render_chunk, range(TRAIN_SEED, TRAIN_SEED + len(sizes)), sizes))
        np.save(images, np.concatenate([image for image, _ in chunks]))
        np.save(rows, np.concatenate([row for _, row in chunks]))
    return ShapesDataset(np.load(images, mmap_mode="r"), np.load(rows))


def held_out_images(count: int) -> ShapesDataset:
    """Pictures that no stage trains on."""
    return ShapesDataset(*renderer.render_chunk(HELD_OUT_SEED, count))

"""
Frames on disk: `00000.png`, `00001.png` and so on, written off the critical path.

Compressing a PNG takes milliseconds that an engine's step should not wait for, so one thread writes while the engine
goes on; the queue between them is short, so a slow disk slows the engine instead of filling memory. A frame appears
under its name only when it is whole: it is written beside it and renamed. A failed write surfaces at the next call.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

RgbImage = npt.NDArray[np.uint8]
"""One picture: height × width × 3, RGB, 0…255."""

MIN_DIGITS = 5
"""Width of a frame's number, unless there are more than 100 000: then all of them are wider."""

_FRAME = re.compile(r"\d{5,}\.png")
_LEFTOVER = re.compile(r"\.\d{5,}\.png\.part")


FrameEncoder = Callable[[Path, RgbImage, Mapping[str, str]], None]


class FrameWriter:
    """
    Writes frames of one run into `folder`, which it makes.

    `total` is the highest number of frames to come, `depth` how many may wait, `save` what the thread does with each.
    """

    def __init__(self, folder: Path, *, total: int, depth: int = 8, save: FrameEncoder | None = None) -> None:
        self._folder = folder
        self._digits = max(MIN_DIGITS, len(str(total - 1)))
        self._depth = depth
        self._save = save or save_png
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="frames")
        self._pending: deque[Future[None]] = deque()
        folder.mkdir(parents=True, exist_ok=True)
        self._highest = max((int(path.stem) for path in _frames(folder)), default=-1)

    @property
    def count(self) -> int:
        """Frames taken so far, by this writer or an earlier run, counted by the highest index."""
        return self._highest + 1

    def path(self, index: int) -> Path:
        """Where frame `index` (0-based) lies or will lie."""
        return self._folder / f"{index:0{self._digits}}.png"

    def write(self, index: int, pixels: RgbImage, *, text: Mapping[str, str] | None = None) -> None:
        """
        Takes a copy of one picture (H×W×3, uint8) as frame `index`; `text` becomes tEXt chunks.

        Raises ValueError for another shape or type, and whatever an earlier write has failed with.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"a frame is H×W×3 of uint8, not {pixels.shape} of {pixels.dtype}")
        if len(self._pending) >= self._depth:
            self._pending.popleft().result()
        self._highest = max(self._highest, index)
        self._pending.append(self._thread.submit(self._save, self.path(index), pixels.copy(), dict(text or {})))

    def flush(self) -> None:
        """Returns when every frame taken so far is on disk."""
        while self._pending:
            self._pending.popleft().result()

    def close(self) -> None:
        """Ends the thread after the last frame; raises what a write has failed with."""
        try:
            self.flush()
        finally:
            self._thread.shutdown()

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:  # the error that ended the block matters more than a frame that was lost to it
            self._thread.shutdown()


def save_png(path: Path, pixels: RgbImage, text: Mapping[str, str]) -> None:
    """Writes one PNG beside `path` and renames it, so that nobody ever reads half a file."""
    chunks = PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value)
    part = path.with_name(f".{path.name}.part")
    Image.fromarray(pixels).save(part, format="PNG", pnginfo=chunks)
    part.replace(path)


def list_frames(folder: Path) -> list[Path]:
    """The frames in `folder`, in order; the first is number 0 and there is no gap. Raises ValueError otherwise."""
    files = sorted(_frames(folder), key=lambda path: int(path.stem))
    for index, path in enumerate(files):
        if int(path.stem) != index:
            raise ValueError(f"frame {index} is missing in {folder}: found {path.name} instead")
    return files


def read_frame(path: Path) -> RgbImage:
    """One frame as H×W×3 of uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def clear_frames(folder: Path) -> None:
    """Removes the frames in `folder` and halves of them; other files there are not ours and stay."""
    for path in _entries(folder):
        if _FRAME.fullmatch(path.name) or _LEFTOVER.fullmatch(path.name):
            path.unlink()


def _frames(folder: Path) -> Iterator[Path]:
    return (path for path in _entries(folder) if _FRAME.fullmatch(path.name))


def _entries(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.iterdir())) if folder.is_dir() else iter(())

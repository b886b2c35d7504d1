"""
Clips as one memory-mapped array of frames, with a manifest that names and measures them.

A folder holds `frames.u8`, all frames as bytes one after the other, and `manifest.json`: the size of a frame, the
clips, and the sha256 of the frames. The manifest is written last; a folder without one is not finished.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from videojob_runner.media.frames import RgbImage

FRAMES_FILE, MANIFEST_FILE = "frames.u8", "manifest.json"
FORMAT: Final = 1


class DamagedArray(ValueError):
    """A folder that is not a complete `VideoArray`; the text says what to do."""


@dataclass(frozen=True, slots=True)
class ClipEntry:
    """One clip of a `VideoArray`."""

    name: str
    start: int
    """Its first frame among all frames."""
    length: int
    """Frames."""


@dataclass(frozen=True, slots=True)
class VideoArray:
    """Clips whose frames are read from disk when they are indexed."""

    frames: npt.NDArray[np.uint8]
    """All frames, ``[n, H, W, 3]``, memory-mapped and read-only."""
    clips: tuple[ClipEntry, ...]
    digest: str
    """`sha256:` and 64 hex digits over the frames and the clips: equal data has equal digests."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What the writer recorded, such as sources and settings."""

    def __len__(self) -> int:
        return len(self.clips)

    def clip(self, index: int) -> npt.NDArray[np.uint8]:
        """The frames of a clip, ``[T, H, W, 3]``, not copied."""
        entry = self.clips[index]
        return self.frames[entry.start : entry.start + entry.length]

    @classmethod
    def write(
        cls,
        folder: Path,
        clips: Iterable[tuple[str, Iterable[RgbImage]]],
        *,
        about: Mapping[str, Any] | None = None,
    ) -> VideoArray:
        """
        Writes clips, given as names and frames of equal size, one frame in memory at a time; replaces older ones.

        Raises ValueError if a frame has another size or type, a clip no frames, or a name occurs twice.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST_FILE).unlink(missing_ok=True)
        writer = _ArrayWriter(folder / FRAMES_FILE)
        entries = writer.write_all(clips)
        document = {
            "format": FORMAT,
            "frameShape": list(writer.shape),
            "sha256": writer.digest.hexdigest(),
            "clips": [asdict(entry) for entry in entries],
            "about": dict(about or {}),
        }
        part = folder / f".{MANIFEST_FILE}.part"
        part.write_text(json.dumps(document, indent=1), encoding="utf-8")
        part.replace(folder / MANIFEST_FILE)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path, *, verify: bool = False) -> VideoArray:
        """Opens what `write` wrote; `verify` reads all frames. Raises DamagedArray if they are not complete."""
        document = _read_manifest(folder)
        entries = tuple(ClipEntry(**entry) for entry in document["clips"])
        shape = (sum(entry.length for entry in entries), *document["frameShape"])
        path = folder / FRAMES_FILE
        size = path.stat().st_size if path.is_file() else 0
        if size != int(np.prod(shape)):
            raise DamagedArray(f"{path}: {size} bytes, {int(np.prod(shape))} by the manifest; prepare the data anew")
        if verify:
            _verify(path, document["sha256"])
        clips = json.dumps([document["frameShape"], document["clips"]]).encode()
        digest = hashlib.sha256(document["sha256"].encode() + clips).hexdigest()
        frames = np.memmap(path, dtype=np.uint8, mode="r", shape=shape)
        return cls(frames, entries, f"sha256:{digest}", document["about"])


class _ArrayWriter:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.digest = hashlib.sha256()
        self.shape: tuple[int, ...] = ()
        self.count = 0

    def write_all(self, clips: Iterable[tuple[str, Iterable[RgbImage]]]) -> list[ClipEntry]:
        entries: dict[str, ClipEntry] = {}
        with self.path.open("wb") as file:
            for name, frames in clips:
                start = self.count
                for frame in frames:
                    content = self.check(name, frame).tobytes()
                    file.write(content)
                    self.digest.update(content)
                    self.count += 1
                if self.count == start or name in entries:
                    raise ValueError(f"clip {name!r}: {'there are two of them' if name in entries else 'no frames'}")
                entries[name] = ClipEntry(name, start, self.count - start)
        if not entries:
            raise ValueError("there are no clips to write")
        return list(entries.values())

    def check(self, name: str, frame: RgbImage) -> RgbImage:
        self.shape = self.shape or frame.shape
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape != self.shape:
            raise ValueError(
                f"clip {name!r}: a frame is {frame.dtype} {list(frame.shape)}, uint8 {list(self.shape)} is needed"
            )
        return frame


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST_FILE
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedArray(f"{path}: cannot be read ({error}); prepare the data anew") from error
    if document.get("format") != FORMAT:
        raise DamagedArray(f"{path}: format {document.get('format')} instead of {FORMAT}; prepare the data anew")
    return document


def _verify(path: Path, promised: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != promised:
        raise DamagedArray(f"{path}: its sha256 is {found}, {promised} by the manifest; prepare the data anew")
